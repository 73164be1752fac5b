"""The peers of the benchmarks: fastai as it comes, fastai tuned, PyTorch's tutorial loop, Lightning's BackboneFinetuning

All get the same body with the same pretrained weights, the same training, validation and test pictures (of one split of a
`Task`), the same picture size, batch size and number of epochs; each has its own head, learning rates and habits otherwise.
A peer is a class: `Peer(split)` prepares, `frozen(epochs, between)` trains the head on the frozen body and calls `between` after
each epoch, `test()` gives the predicted classes of the test pictures.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import timm
import torch
import torch.nn.functional as F
from fastai.callback import progress, schedule # noqa: F401 - fit_one_cycle, fine_tune, no_bar
from fastai.callback.core import Callback
from fastai.data.block import CategoryBlock, DataBlock
from fastai.data.core import DataLoaders, TfmdDL
from fastai.data.transforms import IndexSplitter
from fastai.learner import Learner
from fastai.metrics import accuracy
from fastai.vision.augment import Resize
from fastai.vision.data import ImageBlock
from fastai.vision.learner import vision_learner
from PIL import Image, ImageOps
from torch import nn

from tl_vs_scratch.networks.bodies import lite_weights
from tl_vs_scratch.tasks.decoding import open_picture
from tl_vs_scratch.tasks.task import Task

BODY = 'tf_efficientnet_lite0'


@dataclass
class Split:
    "Which pictures of a task are trained on, validated and tested, at which size"
    task:Task
    seed:int
    size:int = 128
    bs:int = 64
    workers:int|None = None # processes that load a peer's pictures; None: as many as the peer would take by itself
    n:int|None = None       # labels; None: all

    def __post_init__(self):
        self.train, self.valid = self.task.subset(self.n, self.seed)
        self.test = self.task.test_idxs
        self.classes = self.task.classes
    def files(self, idxs): return [self.task.sources[i] for i in idxs]
    def labels(self, idxs): return self.task.labels[idxs]


def weights(): return lite_weights(BODY)

def network(n_classes=0):
    "timm's own model with the pretrained weights, and a linear head where there are classes"
    model, sd = timm.create_model(BODY), weights()
    model.load_state_dict(dict(zip(model.state_dict(), sd.values())))
    model.reset_classifier(n_classes)
    return model


# ---- fastai ----

def fastai_dls(split):
    "As fastai's own tutorials load a folder of pictures: files, `Resize`, two worker processes"
    idxs = [*split.train, *split.valid]
    files = split.files(idxs)
    label = dict(zip(files, (split.classes[k] for k in split.labels(idxs))))
    block = DataBlock((ImageBlock, CategoryBlock(vocab=split.classes, sort=False)), get_y=label.get,
                      splitter=IndexSplitter(range(len(split.train), len(idxs))), item_tfms=Resize(split.size))
    return block.dataloaders(files, bs=split.bs, num_workers=split.workers)


class Epochs(Callback):
    "Calls `between()` after each epoch, outside the time that the epochs take"
    def __init__(self, between): self.between = between
    def after_epoch(self): self.between()


class FastaiAsItComes:
    "`vision_learner(dls, body)` with its defaults"
    def __init__(self, split, channels_last=False):
        self.split = split
        sd = dict(zip(timm.create_model(BODY).state_dict(), weights().values()))
        self.learn = vision_learner(fastai_dls(split), BODY, metrics=accuracy, pretrained_cfg_overlay=dict(state_dict=sd))
        if channels_last: self.learn.model.to(memory_format=torch.channels_last)

    def frozen(self, epochs, between=None):
        with self.learn.no_bar(), self.learn.no_logging():
            self.learn.fit_one_cycle(epochs, cbs=[Epochs(between)] if between else [])
    def fine_tune(self, epochs, between=None):
        with self.learn.no_bar(), self.learn.no_logging():
            self.learn.fine_tune(epochs, cbs=[Epochs(between)] if between else [])
    def test(self):
        dl = self.learn.dls.test_dl(self.split.files(self.split.test))
        with self.learn.no_bar(), self.learn.no_logging(): return self.learn.get_preds(dl=dl)[0].argmax(1).numpy()


class Decoded(TfmdDL):
    "Batches that are slices of pictures decoded beforehand: bytes (n, 3, size, size) in channels-last order"
    def create_batches(self, samps):
        for idxs in self.chunkify(samps):
            yield self.dataset.x[idxs].float().div_(255), self.dataset.y[idxs]


class Pictures:
    "Decoded pictures and their classes"
    def __init__(self, split, idxs):
        task, size = split.task, split.size
        fit = lambda i: np.asarray(ImageOps.fit(open_picture(task.sources[i]), (size, size), Image.Resampling.BILINEAR))
        with ThreadPoolExecutor(os.cpu_count()) as pool: self.x = torch.from_numpy(np.stack(list(pool.map(fit, idxs)))).permute(0, 3, 1, 2)
        self.y = torch.from_numpy(task.labels[idxs])
    def __len__(self): return len(self.y)
    def __getitem__(self, i): return self.x[i], self.y[i]


class FrozenBatchNorm(Callback):
    "Keeps a frozen body from moving: BatchNorm in evaluation mode"
    def before_train(self):
        if not any(p.requires_grad for p in self.model[0].parameters()): self.model[0].eval()


class FastaiTuned:
    "fastai by someone who knows it: channels-last, pictures decoded beforehand, a strictly frozen body, a linear head"
    def __init__(self, split, lr=1e-3):
        self.split, self.lr = split, lr
        dls = DataLoaders(Decoded(Pictures(split, split.train), bs=split.bs, shuffle=True, drop_last=True, num_workers=0),
                          Decoded(Pictures(split, split.valid), bs=split.bs, num_workers=0), device=torch.device('cpu'))
        body = network()
        model = nn.Sequential(Normalised(body), nn.Linear(body.num_features, len(split.classes))).to(memory_format=torch.channels_last)
        self.learn = Learner(dls, model, nn.CrossEntropyLoss(), metrics=accuracy, train_bn=False, cbs=FrozenBatchNorm(),
                             splitter=lambda m: [list(m[0].parameters()), list(m[1].parameters())])
        self.learn.freeze()

    def frozen(self, epochs, between=None):
        with self.learn.no_bar(), self.learn.no_logging():
            self.learn.fit_one_cycle(epochs, self.lr, cbs=[Epochs(between)] if between else [])
    def fine_tune(self, epochs, lr, between=None):
        "The head for an epoch, then all, at a lower rate towards the input"
        self.frozen(1, between)
        self.learn.unfreeze()
        with self.learn.no_bar(), self.learn.no_logging():
            self.learn.fit_one_cycle(epochs, slice(lr/2.6**3, lr), cbs=[Epochs(between)] if between else [])
    @cached_property
    def test_pictures(self): return Pictures(self.split, self.split.test)
    def test(self):
        dl = Decoded(self.test_pictures, bs=self.split.bs, num_workers=0)
        with self.learn.no_bar(), self.learn.no_logging(): return self.learn.get_preds(dl=dl)[0].argmax(1).numpy()


class Normalised(nn.Module):
    "A body that takes pictures in 0..1"
    def __init__(self, body):
        super().__init__()
        self.body = body
    def forward(self, x): return self.body((x - .5)/.5)


# ---- PyTorch's transfer-learning tutorial ----

class TorchTutorial:
    "The loop of PyTorch's transfer-learning tutorial: torchvision's folder, SGD with momentum, StepLR, the best epoch kept"
    def __init__(self, split):
        from torch.utils.data import DataLoader, Dataset
        from torchvision import transforms
        train = transforms.Compose([transforms.RandomResizedCrop(split.size), transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize([.5]*3, [.5]*3)])
        plain = transforms.Compose([transforms.Resize(split.size), transforms.CenterCrop(split.size), transforms.ToTensor(), transforms.Normalize([.5]*3, [.5]*3)])
        class Files(Dataset):
            def __init__(self, idxs, tfm): self.idxs, self.tfm = idxs, tfm
            def __len__(self): return len(self.idxs)
            def __getitem__(self, i): return self.tfm(open_picture(split.task.sources[self.idxs[i]])), int(split.task.labels[self.idxs[i]])
        load = lambda idxs, tfm, shuffle=False: DataLoader(Files(idxs, tfm), batch_size=split.bs, shuffle=shuffle,
                                                             num_workers=2 if split.workers is None else split.workers)
        self.loaders = dict(train=load(split.train, train, True), valid=load(split.valid, plain), test=load(split.test, plain))
        self.model = network()
        for p in self.model.parameters(): p.requires_grad = False
        self.model.classifier = nn.Linear(self.model.num_features, len(split.classes))

    def frozen(self, epochs, between=None):
        import copy
        optimizer = torch.optim.SGD(self.model.classifier.parameters(), lr=.001, momentum=.9)
        scheduler, best, best_accuracy = torch.optim.lr_scheduler.StepLR(optimizer, 7, .1), None, -1
        for _ in range(epochs):
            self.model.train()
            for x, y in self.loaders['train']:
                optimizer.zero_grad()
                F.cross_entropy(self.model(x), y).backward()
                optimizer.step()
            scheduler.step()
            right = self._accuracy('valid')
            if right > best_accuracy: best, best_accuracy = copy.deepcopy(self.model.state_dict()), right
            if between: between()
        self.model.load_state_dict(best)

    @torch.no_grad()
    def _run(self, part):
        self.model.eval()
        out = [(self.model(x).argmax(1), y) for x, y in self.loaders[part]]
        return torch.cat([o for o, _ in out]), torch.cat([y for _, y in out])
    def _accuracy(self, part): p, y = self._run(part); return (p == y).float().mean().item()
    def test(self): return self._run('test')[0].numpy()


# ---- Lightning ----

class LightningFinetuning:
    "Lightning's `BackboneFinetuning` with the body frozen for the epochs asked for"
    def __init__(self, split):
        self.split, self.loaders = split, TorchTutorial(split).loaders

    def frozen(self, epochs, between=None):
        import logging
        import lightning as L
        from lightning.pytorch.callbacks import BackboneFinetuning, Callback as LightningCallback
        logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
        body, classes = network(), len(self.split.classes)
        class Module(L.LightningModule):
            def __init__(self):
                super().__init__()
                self.backbone, self.head = body, nn.Linear(body.num_features, classes)
            def forward(self, x): return self.head(self.backbone(x))
            def training_step(self, batch, _): return F.cross_entropy(self(batch[0]), batch[1])
            def validation_step(self, batch, _): self.log('valid_loss', F.cross_entropy(self(batch[0]), batch[1]))
            def configure_optimizers(self): return torch.optim.Adam(self.head.parameters(), 1e-3)
        class Between(LightningCallback):
            def on_train_epoch_end(self, *_):
                if between: between()
        self.module = Module()
        trainer = L.Trainer(max_epochs=epochs, accelerator='cpu', callbacks=[BackboneFinetuning(unfreeze_backbone_at_epoch=epochs + 1), Between()],
                            logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0)
        trainer.fit(self.module, self.loaders['train'], self.loaders['valid'])

    @torch.no_grad()
    def test(self):
        self.module.eval()
        return torch.cat([self.module(x).argmax(1) for x, _ in self.loaders['test']]).numpy()
