"""Policy gradients in a corridor: go right, and it pays."""

from collections import deque

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

torch.set_default_dtype(torch.float32)
torch.manual_seed(543)
eps = np.finfo(np.float32).eps.item()
assert eps == torch.finfo(torch.float32).eps


class Corridor:
    length = 6

    def reset(self):
        self.at, self.time = 2, 0
        return self.state()

    def state(self):
        return np.eye(self.length, dtype=np.float32)[self.at]

    def step(self, action):
        self.at = max(0, self.at + (1 if action == 1 else -1))
        self.time += 1
        done = self.at == self.length - 1 or self.time == 20
        return self.state(), 10.0 if self.at == self.length - 1 else -1.0, done, {}


class Policy(nn.Module):
    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(Corridor.length, 16)
        self.dropout = nn.Dropout(p=0.1)
        self.action_head = nn.Linear(16, 2)
        self.value_head = nn.Linear(16, 1)
        self.saved_actions = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.dropout(self.affine1(x)))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=2e-2)
env = Corridor()


def select_action(state):
    state = torch.from_numpy(state).float().unsqueeze(0)
    probs, state_value = policy(state)
    m = Categorical(probs)
    action = m.sample()
    policy.saved_actions.append((m.log_prob(action), state_value[0], m.entropy()))
    return action.item()


def finish_episode(gamma=0.99):
    R = 0
    policy_losses, value_losses, entropies = [], [], []
    returns = deque()
    for r in policy.rewards[::-1]:
        R = r + gamma * R
        returns.appendleft(R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    for (log_prob, value, entropy), R in zip(policy.saved_actions, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
        entropies.append(entropy)
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss -= 0.01 * torch.cat(entropies).sum()
    loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_actions[:]
    return loss.item()


rewards = []
for i_episode in range(80):
    state = env.reset()
    ep_reward = 0
    for t in range(100):
        action = select_action(state)
        state, reward, done, _ = env.step(action)
        policy.rewards.append(reward)
        ep_reward += reward
        if done:
            break
    rewards.append(ep_reward)
    finish_episode()
    if i_episode % 20 == 0:
        print(f"episode {i_episode}\tlast reward: {ep_reward:.2f}")
mean_reward = float(np.mean(rewards[-20:]))
print(mean_reward)
