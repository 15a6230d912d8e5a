"""A generator of numbers of a normal distribution, and what tells them from real ones."""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.autograd import Variable

torch.manual_seed(3)
device = torch.device("cpu")
nz, batch_size = 4, 64
real_label, fake_label = 1.0, 0.0


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.3)
        nn.init.constant_(m.bias.data, 0)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(nz, 16), nn.BatchNorm1d(16), nn.ReLU(True), nn.Linear(16, 1)
        )

    def forward(self, input):
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(1, 16), nn.LeakyReLU(0.2, inplace=True), nn.Linear(16, 1), nn.Sigmoid()
        )

    def forward(self, input):
        return self.main(input).view(-1)


netG = Generator().to(device)
netG.apply(weights_init)
netD = Discriminator().to(device)
netD.apply(weights_init)
criterion = nn.BCELoss()
fixed_noise = torch.randn(500, nz, device=device)
optimizerD = optim.Adam(netD.parameters(), lr=1e-2, betas=(0.5, 0.999))
optimizerG = optim.Adam(netG.parameters(), lr=1e-2, betas=(0.5, 0.999))

G_losses, D_losses, means = [], [], []
for i in range(250):
    netD.zero_grad()
    real = torch.randn(batch_size, 1, device=device) * 0.5 + 3.0
    label = torch.full((batch_size,), real_label, device=device)
    output = netD(real)
    errD_real = criterion(output, label)
    errD_real.backward()
    D_x = output.mean().item()
    noise = torch.randn(batch_size, nz, device=device)
    fake = netG(noise)
    label.fill_(fake_label)
    output = netD(fake.detach())
    errD_fake = criterion(output, label)
    errD_fake.backward()
    errD = errD_real + errD_fake
    optimizerD.step()

    netG.zero_grad()
    label = Variable(torch.ones(batch_size)).to(device)
    output = netD(fake)
    errG = criterion(output, label)
    errG.backward()
    optimizerG.step()
    G_losses.append(errG.item())
    D_losses.append(errD.item())
    with torch.no_grad():
        means.append(netG(fixed_noise).mean().item())
    if i % 50 == 0:
        print("[%d] loss_D: %.4f loss_G: %.4f D(x): %.4f" % (i, errD.item(), errG.item(), D_x))
fake_mean = sum(means[-50:]) / 50
print(fake_mean)
