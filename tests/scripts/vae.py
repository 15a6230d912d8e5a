"""A variational autoencoder of small pictures."""

import numpy as np
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F

torch.manual_seed(1)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
rng = np.random.default_rng(0)
templates = rng.random((4, 64)) > 0.5
pictures = templates[rng.integers(0, 4, 256)] ^ (rng.random((256, 64)) < 0.03)
train_loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(torch.Tensor(pictures.astype(np.float32))), batch_size=32, shuffle=True
)


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc21 = nn.Linear(32, 3)
        self.fc22 = nn.Linear(32, 3)
        self.fc3 = nn.Linear(3, 32)
        self.fc4 = nn.Linear(32, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


model = VAE().to(device)
optimizer = optim.Adam(model.parameters(), lr=1e-2)
losses = []
for epoch in range(1, 9):
    model.train()
    train_loss = 0
    for batch_idx, (data,) in enumerate(train_loader):
        data = data.to(device)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
    losses.append(train_loss / len(train_loader.dataset))
    print("epoch: {} average loss: {:.4f}".format(epoch, losses[-1]))

with torch.no_grad():
    sample = torch.randn(64, 3).to(device)
    sample = model.decode(sample).cpu()
    shown = sample.view(64, 1, 8, 8).numpy().round().reshape(64, 64)
    distance = float(np.abs(shown[:, None] - templates[None]).mean(-1).min(-1).mean())
    print(f"distance of samples to the nearest template: {distance:.3f}")
