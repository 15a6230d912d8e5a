"""A conv net on small pictures of bars, with a data set of its own, a loader and a schedule."""

import argparse
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class Bars(Dataset):
    """Pictures of 12 by 12 with a bar that lies, stands, or leans."""

    def __init__(self, count, seed, transform=None):
        rng = np.random.default_rng(seed)
        self.images = 0.3 * rng.standard_normal((count, 12, 12)).astype(np.float32)
        self.labels = rng.integers(0, 3, count)
        self.transform = transform
        for image, label in zip(self.images, self.labels):
            at = rng.integers(2, 10)
            if label == 0:
                image[at] += 1
            elif label == 1:
                image[:, at] += 1
            else:
                image += np.eye(12, k=at - 6, dtype=np.float32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        image = torch.from_numpy(self.images[idx]).unsqueeze(0)
        if self.transform:
            image = self.transform(image)
        return image, torch.tensor(self.labels[idx], dtype=torch.long)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, 1)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, kernel_size=3, padding=1)
        self.dropout1 = nn.Dropout(0.1)
        self.fc1 = nn.Linear(8 * 5 * 5, 16)
        self.fc2 = nn.Linear(16, 3)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = x.view(-1, self.num_flat_features(x))
        x = self.dropout1(x)
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)

    def num_flat_features(self, x):
        size = x.size()[1:]
        num_features = 1
        for s in size:
            num_features *= s
        return num_features


def train(args, model, device, train_loader, optimizer, epoch):
    model.train()
    running = 0.0
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        running += loss.item() * data.size(0)
        if batch_idx % args.log_interval == 0:
            print("epoch {} [{}/{} ({:.0f}%)]\tloss: {:.6f}".format(
                epoch, batch_idx * len(data), len(train_loader.dataset),
                100.0 * batch_idx / len(train_loader), loss.item()))
    return running / len(train_loader.dataset)


def test(model, device, test_loader):
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    test_loss /= len(test_loader.dataset)
    print("test: average loss {:.4f}, accuracy {}".format(test_loss, correct))
    return correct / len(test_loader.dataset)


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--gamma", type=float, default=0.7)
    parser.add_argument("--no-cuda", action="store_true", default=False)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=5)
    args = parser.parse_args(argv)
    use_cuda = not args.no_cuda and torch.cuda.is_available()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if use_cuda else "cpu")
    kwargs = {"num_workers": 1, "pin_memory": True} if use_cuda else {}
    normalize = lambda image: (image - 0.08) / 0.4
    train_loader = DataLoader(Bars(320, 0, normalize), batch_size=args.batch_size, shuffle=True, **kwargs)
    test_loader = DataLoader(Bars(100, 1, normalize), batch_size=50, num_workers=0, pin_memory=False)

    model = Net().to(device)
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
    losses, accuracies = [], []
    for epoch in range(1, args.epochs + 1):
        losses.append(train(args, model, device, train_loader, optimizer, epoch))
        accuracies.append(test(model, device, test_loader))
        scheduler.step()

    path = os.path.join(tempfile.mkdtemp(), "bars_cnn.pt")
    torch.save(model.state_dict(), path)
    again = Net()
    again.load_state_dict(torch.load(path, weights_only=True))
    assert test(again, device, test_loader) == accuracies[-1]

    images, labels = next(iter(test_loader))
    _, predicted = torch.max(again(images), 1)
    assert (predicted == labels).sum().item() >= 40
    return losses, accuracies[-1]


if __name__ == "__main__":
    losses, accuracy = main([])
