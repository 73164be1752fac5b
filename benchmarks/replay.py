"A race, told again from a study that trained everything to its end: what it would have trained, in which order, and what it would have said"

import heapq

from tl_vs_scratch.studies.race import Race
from tl_vs_scratch.studies.results import Results
from tl_vs_scratch.studies.store import Store
from tl_vs_scratch.training.recipes import Trial

OVERHEAD = .5 # seconds that a call to a worker takes besides the training


class Replay(Results):
    "The part of a study that a race would have trained within a time; `guesses` are the first estimates, label -> seconds"
    def __init__(self, whole:Results, folder, sizes, guesses):
        self.describe(whole.task, whole.strategies, whole.digests, list(sizes), whole.seeds, whole.settings, folder, Store(folder/'study.db'))
        self.estimates = guesses
        self.ways = {self.key(trial): path for trial, path in whole.paths()}
        self.whole = {self.key(trial): trial for trial in whole.finished()}
        self.used = {} # planned -> seconds of training so far

    def key(self, trial): return tuple(trial.row[name] for name in ('settings_digest', 'n', 'seed'))
    def time_guesses(self): return self.estimates

    def call(self, planned, seconds):
        "What comes of so many seconds more: the trial as far as it got, and the seconds that it took"
        trial, path, used = self.whole[planned.key], self.ways.get(planned.key, []), self.used.get(planned, 0.)
        all_of_it = trial.row['seconds'] or 0.
        if not path or all_of_it - used <= seconds:
            self.used[planned] = all_of_it
            took = all_of_it - used + OVERHEAD
            return Trial(trial.row | dict(seconds_wall=took), path, trial.outputs), took
        reached = [at for at in path if at.seconds <= used + seconds] or path[:1]
        at = reached[-1]
        self.used[planned] = max(used + seconds, at.seconds)
        took = self.used[planned] - used + OVERHEAD
        row = trial.row | dict(status='learning', steps=at.step, seconds=at.seconds, flops=at.flops, seconds_wall=took)
        return Trial(row, reached, trial.outputs | at.outputs), took # what it makes of the training examples is not known at that step

    def run(self, seconds, jobs=2, margin=.01):
        "Race for so long, with a clock that only the trainings move"
        self.now, running, count = 0., [], 0
        race = Race(self, seconds, margin, clock=lambda: self.now)
        while True:
            while len(running) < jobs and (call := race.next_call(lambda *asked: asked)) is not None:
                trial, took = self.call(*call)
                heapq.heappush(running, (self.now + took, count, trial))
                count += 1
            if not running: return race
            self.now, _, trial = heapq.heappop(running)
            self.store.add(trial, self.task.fingerprint)
            race.note(trial)


def cost(whole:Results, n, jobs=2)->float:
    "Seconds of the whole study at one size"
    return sum((trial.row['seconds'] or 0.) + OVERHEAD for trial in whole.finished() if trial.row['n'] == n)/jobs
