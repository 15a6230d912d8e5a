"""A transformer encoder that tells whether a row of digits, some of them padding, holds a one."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
torch.set_printoptions(precision=4, sci_mode=False, linewidth=120)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PAD, VOCAB, LENGTH = 0, 5, 6
rng = np.random.default_rng(0)


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.0, max_len=50):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        pe = torch.zeros(max_len, d_model)
        position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.unsqueeze(0))

    def forward(self, x):
        return self.dropout(x + self.pe[:, :x.size(1)])


class Classifier(nn.Module):
    def __init__(self, d_model=16, nhead=2, nlayers=2):
        super().__init__()
        self.d_model = d_model
        self.embedding = nn.Embedding(VOCAB, d_model, padding_idx=PAD)
        self.pos = PositionalEncoding(d_model)
        layer = nn.TransformerEncoderLayer(d_model, nhead, 32, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, nlayers)
        self.head = nn.Linear(d_model, 2)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)

    def forward(self, src):
        mask = src == PAD
        x = self.pos(self.embedding(src) * math.sqrt(self.d_model))
        x = self.encoder(x, src_key_padding_mask=mask)
        x = x.masked_fill(mask.unsqueeze(-1), 0.0).sum(1) / (~mask).sum(1, keepdim=True)
        return self.head(x)


def make_batch(count):
    rows = rng.integers(1, VOCAB, (count, LENGTH))
    for row, n in zip(rows, rng.integers(0, 4, count)):
        row[LENGTH - n:] = PAD
    labels = [int((row == 1).any()) for row in rows]
    return torch.as_tensor(rows, device=device), torch.as_tensor(labels, device=device)


model = Classifier().to(device)
with torch.no_grad():       # the same numbers wherever this runs
    for name, p in model.named_parameters():
        if p.dim() > 1:
            p.copy_(torch.as_tensor(0.3 * rng.standard_normal(tuple(p.shape))))
        elif name.endswith("bias"):
            p.zero_()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.9, 0.98), eps=1e-9)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=120)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
losses = []
for step in range(120):
    src, target = make_batch(48)
    logits = model(src)
    loss = criterion(logits, target)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
model.eval()
with torch.inference_mode():
    src, target = make_batch(200)
    probabilities = F.softmax(model(src), dim=-1)
    accuracy = (probabilities.argmax(-1) == target).float().mean().item()
    print(probabilities[:3], accuracy)

# What a causal mask is made of.
sz = 4
mask = (torch.triu(torch.ones(sz, sz)) == 1).transpose(0, 1)
mask = mask.float().masked_fill(mask == 0, float("-inf")).masked_fill(mask == 1, float(0.0))
assert mask[1].tolist() == [0.0, 0.0, -math.inf, -math.inf] and mask[3].sum() == 0
