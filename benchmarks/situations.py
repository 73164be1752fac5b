"""What advice is tried on: tasks whose examples come with this machine, parts of them, and numbers of labels"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tl_vs_scratch.tasks.builtin import digits, emoji
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.tasks.task import Task, make_task


def rows_of(task:Task, idxs)->list:
    "Source, id, class, and whether it is of the test, of some examples"
    return [(task.sources[i], task.ids[i], task.classes[task.labels[i]], task.is_test[i]) for i in idxs]


def made_of(name:str, task:Task, classes:list, rows:list)->Task:
    "A task of such rows; all else as in another one"
    sources, ids, names, is_test = zip(*rows)
    labels = [classes.index(o) for o in names]
    return make_task(name, sources, ids, labels, classes, task.medium, is_test=is_test, credit=task.credit)


def drawn_by_others()->Task:
    "What one artist drew is labelled; the test is of other things, as another one drew them"
    here, there = emoji(), emoji('openmoji')
    rows = rows_of(here, here.labelled_idxs) + rows_of(there, there.test_idxs)
    return made_of('drawn_by_others', here, here.classes, rows)


def classes_of(task:Task, name:str, *classes:str)->Task:
    "Some of a task's classes; the same examples are the test"
    numbers = [task.classes.index(c) for c in classes]
    return made_of(name, task, classes, rows_of(task, np.flatnonzero(np.isin(task.labels, numbers))))


MADE = dict( # name -> a function that makes the task
    drawn_by_others=drawn_by_others,
    animal_or_food=lambda: classes_of(emoji(), 'animal_or_food', 'animal', 'food'),
    three_five_eight=lambda: classes_of(digits(), 'three_five_eight', '3', '5', '8'),
    emoji_of_48_pixels=lambda: replace(emoji(), name='emoji_of_48_pixels'))


@dataclass(frozen=True)
class Situations:
    "A task, and the numbers of labels that are tried"
    name:str       # Of a built-in task, of one of `MADE`, or of a folder of pictures
    sizes:tuple    # Numbers of labels
    pixels:int=32  # Of pictures, so that hundreds of trainings are a matter of hours
    folder:bool=False # Is it a folder?

    def task(self, data:Path|None)->Task|None: # None where its examples are not at hand
        if self.folder: return load_task(str(data/self.name)) if data else None
        return MADE[self.name]() if self.name in MADE else load_task(self.name)


SITUATIONS = (
    Situations('digits', (50, 100, 200, 400, 800)), Situations('emoji', (20, 40, 80, 160, 309)),
    Situations('emoji_words', (50, 100, 200, 309)), Situations('languages', (100, 300, 1000)),
    Situations('drawn_by_others', (40, 160)), Situations('animal_or_food', (20, 80)), Situations('three_five_eight', (30, 100)),
    Situations('emoji_of_48_pixels', (40,), pixels=48),
    Situations('clothing10', (100, 300), folder=True), Situations('grocery43', (250, 600), folder=True),
    Situations('signs', (100, 400, 1000), folder=True))
