"""What stands around a training loop: seeds, devices, precision, early stopping, checkpoints."""

import copy
import os
import random
import tempfile

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset, random_split


def seed_everything(seed: int):
    random.seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)


seed_everything(42)
print(f"{torch.__version__}: {torch.cuda.device_count()} devices, {torch.get_num_threads()} threads")
torch.set_float32_matmul_precision("high")
torch.set_printoptions(precision=2, sci_mode=False)
if torch.cuda.is_available():
    device = torch.device("cuda")
    torch.cuda.empty_cache()
elif torch.backends.mps.is_available():
    device = torch.device("mps")
elif torch.accelerator.is_available():
    device = torch.accelerator.current_accelerator()
else:
    device = torch.device("cpu")
assert device.type == "cpu" and str(device) == "cpu"

x = np.random.rand(240, 3).astype(np.float32)
targets = (x @ np.array([[1.0], [-2.0], [0.5]], dtype=np.float32) + 0.1).astype(np.float32)
dataset = TensorDataset(torch.from_numpy(x), torch.from_numpy(targets))
train_set, val_set = random_split(dataset, [200, 40], generator=torch.Generator().manual_seed(0))
train_loader = DataLoader(
    train_set, batch_size=20, shuffle=True, num_workers=2, pin_memory=True, drop_last=True,
    persistent_workers=True, generator=torch.Generator(device="cpu").manual_seed(0),
)
val_loader = DataLoader(val_set, batch_size=40)


class MLP(nn.Module):
    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in zip(sizes[:-2], sizes[1:-1]):
            layers += [nn.Linear(n_in, n_out, dtype=torch.float32), nn.SiLU(), nn.Dropout(0.0)]
        layers.append(nn.Linear(sizes[-2], sizes[-1], dtype=torch.float32))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


model = MLP([3, 16, 16, 1]).to(device)
print(f"{sum(p.numel() for p in model.parameters() if p.requires_grad):,} trainable parameters")
compiled = torch.compile(model, mode="reduce-overhead", backend="eager")
criterion = nn.MSELoss().to(device)
optimizer = optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-4, fused=False)
scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", factor=0.5, patience=1)
scaler = torch.amp.GradScaler("cuda", enabled=False)
path = os.path.join(tempfile.mkdtemp(), "checkpoint.pth")

best, wait, history, best_weights = float("inf"), 0, [], None
for epoch in range(12):
    compiled.train()
    for xb, yb in train_loader:
        xb, yb = xb.to(device, non_blocking=True), yb.to(device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device_type=device.type, enabled=False):
            loss = criterion(compiled(xb), yb)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    compiled.eval()
    with torch.no_grad():
        val_loss = sum(criterion(compiled(xb.to(device)), yb.to(device)).item() for xb, yb in val_loader)
    scheduler.step(val_loss)
    history.append(val_loss)
    if val_loss < best:
        best, wait = val_loss, 0
        best_weights = copy.deepcopy(model.state_dict())
        torch.save({
            "epoch": epoch,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "scheduler_state_dict": scheduler.state_dict(),
            "rng_state": torch.get_rng_state(),
            "loss": val_loss,
        }, path)
    else:
        wait += 1
        if wait >= 4:
            print("early stopping")
            break
    print(f"epoch {epoch:2d} | val {val_loss:.5f} | lr {optimizer.param_groups[0]['lr']:.4g}")

checkpoint = torch.load(path, map_location=device, weights_only=True)
again = MLP([3, 16, 16, 1]).to(device)
again.load_state_dict(checkpoint["model_state_dict"])
optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
scheduler.load_state_dict(checkpoint["scheduler_state_dict"])
torch.set_rng_state(checkpoint["rng_state"])
model.load_state_dict(best_weights)
with torch.no_grad():
    same = all(torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters()))
    restored = sum(criterion(again(xb), yb).item() for xb, yb in val_loader)
print(best, restored, same)
