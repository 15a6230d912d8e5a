"""A cubic that becomes a sine: NumPy's way, autograd, a Function, and modules."""

import math

import torch

dtype = torch.double
device = torch.device("cpu")
x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=dtype)
y = torch.sin(x)
assert x.device == device and x.device.type == "cpu"


def start(**kwargs):
    return [torch.full((), v, device=device, dtype=dtype, **kwargs) for v in (0.5, -0.2, 0.1, 0.05)]


def by_hand(steps=150, learning_rate=1e-6):
    a, b, c, d = start()
    losses = []
    for t in range(steps):
        y_pred = a + b * x + c * x**2 + d * x**3
        losses.append((y_pred - y).pow(2).sum().item())
        grad_y_pred = 2.0 * (y_pred - y)
        a -= learning_rate * grad_y_pred.sum()
        b -= learning_rate * (grad_y_pred * x).sum()
        c -= learning_rate * (grad_y_pred * x**2).sum()
        d -= learning_rate * (grad_y_pred * x**3).sum()
    print(f"y = {a.item()} + {b.item()} x + {c.item()} x^2 + {d.item()} x^3")
    return losses


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


def with_autograd(steps=150, learning_rate=1e-6):
    params = start(requires_grad=True)
    a, b, c, d = params
    losses = []
    for t in range(steps):
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = (y_pred - y).pow(2).sum()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= learning_rate * p.grad
                p.grad = None
    return losses


def with_function(steps=100, learning_rate=5e-6):
    a, b, c, d = start(requires_grad=True)
    losses = []
    for t in range(steps):
        P3 = LegendrePolynomial3.apply
        loss = (a + b * P3(c + d * x) - y).pow(2).sum()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c, d):
                p -= learning_rate * p.grad
            for p in (a, b, c, d):
                p.grad = None
    return losses


class Polynomial3(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (torch.nn.Parameter(p) for p in start())

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2 + self.d * x**3

    def string(self):
        return f"y = {self.a.item()} + {self.b.item()} x + {self.c.item()} x^2 + {self.d.item()} x^3"


def with_module(steps=150):
    model = Polynomial3()
    criterion = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.5)
    losses = []
    for t in range(steps):
        loss = criterion(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(model.string())
    return losses


def with_layers(steps=60):
    p = torch.tensor([1, 2, 3])
    xx = x.unsqueeze(-1).pow(p)
    model = torch.nn.Sequential(torch.nn.Linear(3, 1, dtype=dtype), torch.nn.Flatten(0, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.3, -0.1, 0.02]], dtype=dtype))
        model[0].bias[:] = 0.125
    loss_fn = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    losses = []
    for t in range(steps):
        loss = loss_fn(model(xx), y)
        losses.append(loss.item())
        model.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


first = by_hand()
assert max(abs(p - q) / q for p, q in zip(first, with_autograd())) < 1e-10
losses = first[::30] + with_function()[::20] + with_module()[::30] + with_layers()[::20]
print(losses)

# The parts of autograd that a tutorial shows.
t = torch.ones(2, 2, requires_grad=True)
z = ((t + 2) * (t + 2) * 3).mean()
print(z.grad_fn, z.requires_grad, t.is_leaf)
z.backward(retain_graph=True)
z.backward()
assert t.grad.tolist() == [[9.0, 9.0], [9.0, 9.0]]
v = torch.tensor([0.1, 1.0, 0.0001, 0.5])
u = torch.randn(4).requires_grad_(True)
(u * 2).backward(v)
assert torch.allclose(u.grad, 2 * v)
w = torch.tensor(2.0, requires_grad=True)
(first_derivative,) = torch.autograd.grad(w**3, w, create_graph=True)
(second_derivative,) = torch.autograd.grad(first_derivative, w)
assert first_derivative.item() == 12 and second_derivative.item() == 12
jacobian = torch.autograd.functional.jacobian(lambda s: s**2, torch.tensor([1.0, 2.0]))
assert jacobian.tolist() == [[2, 0], [0, 4]]
