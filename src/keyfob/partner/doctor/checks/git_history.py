"""No secret in all that git has kept of the repository here."""

from keyfob.partner.doctor.check import Check, Outcome, unknown
from keyfob.partner.doctor.leaks import judge
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.scan import git
from keyfob.partner.scan.archives import MAX_UNPACKED
from keyfob.partner.scan.finding import Report
from keyfob.problem import Problem


def _look(scene: Scene) -> Outcome:
    report = Report()
    try:
        git.scan_history(scene.folder, report, max_unpacked=MAX_UNPACKED)
    except Problem as problem:
        return unknown(problem.message, problem.hint)
    return judge(
        report,
        now=scene.now,
        nothing=f"none in {report.files} objects of the repository of {scene.folder}",
        mend="tell the operator: what was pushed once must be taken for known",
    )


CHECK = Check("git-history", "A commit that takes a secret out leaves it in every clone.", _look)
