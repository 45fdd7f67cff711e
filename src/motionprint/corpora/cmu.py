"""CMU Graphics Lab Motion Capture Database: optical, ASF/AMC (mostly 120 frames/s, some trials 60), or as BVH.

http://mocap.cs.cmu.edu. Files are called ``subjects/SS/SS_TT.amc`` with the subject's ``SS.asf`` beside them (the
official layout), or ``SS/SS_TT.bvh`` (the BVH conversions of cgspeed, whose unit is 1/0.45 inch).

What is done in a trial stands in a trial index: a CSV file with the columns `trial` (``SS_TT``), `description` and
`fps`, which is looked for as ``cmu_trials.csv`` at the top of the source, or given as `labels`. The frame rate of an
AMC is the index's, too, since AMC files have none; a BVH has its own. An AMC archive that was thinned is not told from
a whole one by anything in it: it needs `fps`.

A conversion to BVH begins with a T-pose that was never recorded. It is not taken (the column `skipped` counts 1), so
that the data set is the same as from AMC.

The classes are our own: Zhu et al. (AAAI 2016) sorted 2,235 trials into 45 classes, and a subset of 664 into 8, but
their list is no longer public. `RULES` is ours, 45 classes too, so numbers are not comparable with published ones.
`cmu8` holds the trials of the eight classes that the subset is said to have, by the same rules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from motionprint.corpora.corpus import Corpus, Download, Options, Recording
from motionprint.corpora.tables import read_table
from motionprint.errors import DatasetError
from motionprint.readers import read_from
from motionprint.sequence import SkeletonSequence

if TYPE_CHECKING:
    from motionprint.readers.settings import ReadSettings
    from motionprint.readers.source import Source

__all__ = ["CORPUS", "CORPUS_8", "EIGHT", "INDEX", "RULES", "action_of", "normalised"]

INDEX = "cmu_trials.csv"
"""The trial index that is looked for at the top of a source."""

RULES: tuple[tuple[str, str | None], ...] = (
    # several actions in one trial, or nothing that says what is done: no label
    (r"^vignettes\b|no movie|movie and trial|lost marker|bad amc|alien turn", None),
    (r"^walk(ing)?\b.*,.*\b(sit|sitting|run|running|jumping|squats|kicking|stretching|sweeping|step down)\b", None),
    (r"^wash windows.*(hand signals|basketball)|^jumps kicks and punches|^stretches and jumps", None),
    (r"^walk to run|^run to sneak", None),
    # postures and calibration
    (r"range of ?motion|calibration", "range of motion"),
    (r"^motor ?cycle|\bt-? ?pose|static pose|guard pose|ready stance|thinker", "hold a pose"),
    (r"^standing|^idle|\bwait(ing)?\b", "hold a pose"),
    # the body whole: acrobatics, dance, sport
    (r"cartwheel(?!-| into| flips|s, flips)", "cartwheel"),
    (r"flip|flp|hand ?spring|summersult|hand ?stand|on one hand|upside down|break ?dance|acrobatics", "acrobatics"),
    (r"into backflip|monkey sequence|helicopter|90 ?twists|spin kicks|dive over roll|roll underneath", "acrobatics"),
    (r"^(static )?dance( pose)? - |^dance - ", "ballet"),
    (r"^nursery rhyme|^story$|alaskan? vacation|little teapot|ring around the ros|peek ?a ?boo", "tell a story"),
    (r"human subject\)|^(pterosaur|prairie dog|chip ?m[ou]nk|t-rex|bear|chicken|elephant|monkey|mouse|dog)$", "animal"),
    (r"^(snake|fish|bird|cat|cow|tiger|penguin|horse|gorilla|panther)$|^(flamingo|quail),", "animal"),
    (r"dance|danc|salsa|charleston|lindy|moonwalk|macarena", "dance"),
    (r"basketball(?! signals)|offensive ?move|defensive|feint|fake ?shot|straight ?drive|^sraight", "basketball"),
    (r"\b(right|left) drive\b|^pivoting", "basketball"),
    (r"soccer", "soccer"),
    (r"stroke|swimming|^free style|^butterfly$", "swim"),
    (r"^putt$|^placing (tee|ball)|^picking up ball|^swing$", "golf"),
    (r"football|baseball|frisbee|\btoss|\bthrow|fast pitch|throw it back", "throw and catch"),
    (r"^(push|lean) turn|^pump jump|^start$|^stop an[gd] go|^go forward", "skateboard"),
    (r"jumping jacks|squats|weight lifting|flexing|rowing", "exercise"),
    (r"2 subjects|\(subjects|shak(e|ing) hands|hand shake|high five|slap hands", "interact"),
    (r"attack", "martial arts"),
    (r"\bboxing\b|punch(?! kick| and kick)|punch/strike", "box"),
    (r"^(bassai|empi|gedanbarai|heiansyodan|mawashigeri|oiduki|syutouuke|yokogeri)", "martial arts"),
    (r"\bkick|swordplay|\bblocks\b|spin reach|^(left )?lunges|tai chi", "martial arts"),
    (r"yoga|sun salutation|^stretch(?! walk)|sit down and stretch|^reach (left|right)", "yoga or stretch"),
    # things in the hands
    (r"suitcase|\d ?lbs?$|and carry$|holding a baby|^moving (heavy box|a stool)", "carry"),
    (r"pick(ing)? (box )?up|^pick box|^bend, (pick|lift)|scoop up|lifting up", "pick up"),
    (r"\b(push(ing)?|pull|drag) (on )?(heavy|object|a swing|swing)|bang on high object", "push or pull"),
    (r"wash(ing)? (a )?window|sweep|mop floor|vacuum|clean(ing)? (up|window)|broom|^washing$", "clean"),
    (r"bolt|screw(ing)$|\bsaw|nail|hammer|digging|chopping (wood|onions)|slicing|plant|paint", "work with tools"),
    (
        r"rak(e|ing)|sewing|writing|typing|coiling|umbrella|(opening|closing) a box|hanging|dough|batter|fishing",
        "work with tools",
    ),
    (r"drink|\beat(ing)?\b|coffee|soda|chug|sipping|beer", "eat or drink"),
    (r"putting on (?!head)|brushing teeth|shaving|combing|^wash self|deoderant", "dress or groom"),
    (r"wave|waving|direct traffic|signals|shrug|\bbow$|curtsey|giving directions|conducting|phone|teaching", "gesture"),
    (r"^(laugh(ing)?|crying|sad|happy|very happy|scared|upset|cold|freezing|joy|elated)$", "show emotion"),
    (
        r"^(depressed|mope|childish|clumsy|cool|lavish|relaxed|rushed|sexy|shy|arguing|mickey surprised)$",
        "show emotion",
    ),
    (r"^look(ing)? around|poking|investigating|searching ground|peeping|careful walk and search", "look around"),
    # down and up
    (r"playground|ladder|climb(?! 3 steps)|ledge", "climb"),
    (r"\bsit\b|^sitting", "sit"),
    (r"get(ting)? up", "get up"),
    # on foot
    (r"stairs|climb 3 steps|stepping up|^slope|up and over|(step|sidestep).* (up|down)$|steop on", "climb stairs"),
    (r"uneven terrain", "walk on uneven terrain"),
    (r"obstacle|^navigate|follow path|step(ping)? over|stepping on|jump over", "pass obstacles"),
    (r"duck (under|to)|^ducking", "pass obstacles"),
    (r"hop\b|hopscotch", "hop"),
    (r"jump|leap|^(180|270|360|90)\b", "jump"),
    (r"march", "march"),
    (r"sneak|creep|stealthily|silent walk|sneaky|crawl", "sneak"),
    (r"\brun\b|\brun(?=/)|running|^jog|start jog|run through|start run|run stop", "run"),
    (r"backwards?\b|walk back\b", "walk back"),
    (r"sideways?|side ?step|large step|crossover", "walk sideways"),
    (r"\bturn|right angle|veer|zig ?zag|figure|\b8\b|digital|walk(ing)? (left|right)\b|evasive", "walk and turn"),
    (r"^(normal|straight|random)? ?walk(ing)?( ?(forward|straight|around))?$", "walk"),
    (r"^walk/(wander|stride)$|^walk (slow|fast|at a brisk pace)$|^(slow|quick|brisk|fast) walk", "walk"),
    (r"walk.*(stop|slow down)|normal walk|neutral male walk|casual walk|confident walk|^pacing$", "walk"),
    (r"walk|limp|mummy|zombie|elderly ?man|painful ?left ?knee", "walk with style"),
)
"""Regular expression, searched for in a normalised description -> class; the first that is found decides."""

EIGHT = ("basketball", "cartwheel", "get up", "jump", "pick up", "run", "sit", "walk back")
"""The classes of `cmu8`."""

_FILE = re.compile(r"(?P<subject>\d{2,3})_(?P<trial>\d{2,3})\.(?P<format>amc|bvh)", re.IGNORECASE)
_LABELS = f"`none` or a CSV file with trial, description, fps (such as {INDEX})"


@dataclass(frozen=True)
class _Trial:
    """What the index says of a trial."""

    description: str | None = None
    fps: float | None = None  # frames/s


def normalised(description: str) -> str:
    """A description in lower case, words apart (``RunningStraight CleanedGRS`` is ``running straight``)."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|_", " ", description).lower()
    words = re.sub(r"\bcleaned ?grs\b|\b00\d\b", " ", words)
    return " ".join(words.split()).rstrip(".,")


def action_of(description: str | None) -> str | None:
    """The class of a trial, or None where no rule knows its description."""
    if description is None:
        return None
    text = normalised(description)
    return next((action for pattern, action in RULES if re.search(pattern, text)), None)


def recordings(source: Source | None, options: Options, classes: tuple[str, ...] | None = None) -> Iterator[Recording]:
    """The trials, by subject and number; of `cmu8` those of its classes."""
    assert source is not None
    index = _index(source, options)
    for name in source.names():
        found = _FILE.fullmatch(PurePosixPath(name).name)
        if found is None:
            continue
        trial = index.get(_key(found["subject"], found["trial"]), _Trial())
        label = action_of(trial.description)
        if classes is not None and label not in classes:
            continue
        is_bvh = found["format"].lower() == "bvh"
        settings = options.reading(fps=None if is_bvh else trial.fps)
        if is_bvh:
            settings = replace(settings, unit=settings.unit or "cmu")
        yield Recording(
            name=PurePosixPath(name).stem,
            source=name,
            read=partial(_read_bvh if is_bvh else read_from, source, name, settings),
            label=label,
            subject=found["subject"],
            extra={"description": trial.description, "skipped": int(is_bvh)},
        )


def _read_bvh(source: Source, name: str, settings: ReadSettings) -> list[SkeletonSequence]:
    """A conversion without its first frame, a T-pose."""
    return [replace(each, positions=each.positions[1:]) for each in read_from(source, name, settings)]


def _key(subject: str, trial: str) -> str:
    return f"{int(subject):02}_{int(trial):02}"


def _index(source: Source, options: Options) -> dict[str, _Trial]:
    """The trials of the index; none if no labels are wanted."""
    if options.labels == "none":
        return {}
    if options.labels is None and INDEX not in source.names():
        raise DatasetError(
            f"{source.label()}: expected the trial index {INDEX} (trial, description, fps) at its top, found none; "
            "--labels says where it is, --labels none goes without labels"
        )
    table = read_table(source, options.labels or INDEX, _LABELS)
    if not {"trial", "description", "fps"} <= set(table.columns):
        raise DatasetError(
            f"{table.where}:1: expected the columns trial, description, fps; found {', '.join(table.columns) or 'none'}"
        )
    trials: dict[str, _Trial] = {}
    for row in table.rows:
        found = re.fullmatch(r"(\d{1,3})_(\d{1,3})", row.cells["trial"] or "", re.ASCII)
        if found is None:
            raise DatasetError(f"{row.at}: expected a trial such as 02_01, found {row.cells['trial']!r}")
        if (key := _key(*found.groups())) in trials:
            raise DatasetError(f"{row.at}: expected each trial once, found {key} again")
        trials[key] = _Trial(row.cells["description"], _fps(row.cells["fps"], row.at))
    return trials


def _fps(text: str | None, at: str) -> float:
    try:
        fps = float(text or "")
    except ValueError:
        fps = math.nan
    if not 0 < fps <= 1e6:
        raise DatasetError(f"{at}: expected a positive number of frames/s, found {text!r}")
    return fps


CORPUS = Corpus(
    name="cmu",
    title="CMU Graphics Lab Motion Capture Database: optical, ASF/AMC or BVH",
    obtain="http://mocap.cs.cmu.edu (free for all uses; acknowledge mocap.cs.cmu.edu and NSF EIA-0196217). "
    f"The labels need a trial index as well: {INDEX} with the columns trial, description, fps, one row for each trial "
    "that the site lists",
    layout=f"subjects/SS/SS_TT.amc with SS.asf, or SS/SS_TT.bvh; {INDEX}",
    downloads=(Download("http://mocap.cs.cmu.edu/allasfamc.zip", "allasfamc.zip"),),
    recordings=recordings,
    labels=_LABELS,
    alignment="heading",
    max_length=35,
)

CORPUS_8 = replace(
    CORPUS,
    name="cmu8",
    title=f"CMU, the trials of eight classes: {', '.join(EIGHT)}",
    recordings=partial(recordings, classes=EIGHT),
)
