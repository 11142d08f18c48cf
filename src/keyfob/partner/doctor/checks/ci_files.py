"""No secret in the files that build servers and containers are set up by."""

from pathlib import Path

from keyfob.partner.doctor.check import Check, Outcome, passed
from keyfob.partner.doctor.leaks import judge, look_at_files
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.scan.finding import Report

_PATTERNS = (
    *(
        ".github/**/*.y*ml",
        ".gitlab-ci.y*ml",
        ".gitlab/**/*.y*ml",
        ".circleci/**/*",
        ".buildkite/**/*",
        ".gitea/**/*.y*ml",
    ),
    *(".travis.yml", ".drone.yml", ".woodpecker*", "Jenkinsfile*", "azure-pipelines*.y*ml", "bitbucket-pipelines.yml"),
    *(
        "Dockerfile*",
        "Containerfile*",
        "docker-compose*.y*ml",
        "compose*.y*ml",
        ".env*",
        "*.tfvars",
        "Makefile",
        "tox.ini",
    ),
)


def _look(scene: Scene) -> Outcome:
    top = next((one for one in (scene.folder, *scene.folder.parents) if (one / ".git").exists()), scene.folder)
    paths = sorted({path for pattern in _PATTERNS for path in top.glob(pattern) if path.is_file()})
    report = Report()
    look_at_files(paths, report)
    if not paths:
        return passed(f"there are none of these files in {top}")
    return judge(
        report,
        now=scene.now,
        nothing=f"none in {report.files} files of {top}",
        mend=f"take it out of the file, and scan what is kept of it: keyfob scan --history {_shown(top, scene.folder)}",
    )


def _shown(top: Path, folder: Path) -> str:
    return "." if top == folder else str(top)


CHECK = Check("ci-files", "Whoever can read or change a repository can read what its builds are given in it.", _look)
