"""examples/plugin as a stranger would use it: pip-installed into a fresh environment, trained."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The python of a new environment that holds the plugin and sees what this one has."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    packages = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    # Whatever this process can import, be it in a venv or not: addsitedir reads the .pth files
    # there too, which is how editable installs are found.
    seen = [*site.getsitepackages(), site.getusersitepackages()]
    lines = [f"import site; site.addsitedir({path!r})" for path in seen if Path(path).is_dir()]
    (Path(packages.strip()) / "_this_environment.pth").write_text("\n".join(lines) + "\n")
    # A copy: building leaves files beside the sources.
    source = home / "source"
    shutil.copytree(
        ROOT / "examples" / "plugin", source, ignore=shutil.ignore_patterns("*.egg-info", "build")
    )
    offline = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run([python, "-m", "pip", "install", "--quiet", *offline, source], home)
    return python


def run(command, folder, **environment) -> str:
    """What the command prints; its whole output in the failure if it fails."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    clean |= {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=clean, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


COMPONENTS = [
    "dataset=spirals",
    "architecture=fourier",
    "optimizer=signum",
    "regularizer=[input_noise,l2]",
]


def test_the_plugin_is_found_and_told_apart(python, tmp_path):
    found = json.loads(run([python, "-c", FIND], tmp_path))
    assert found == {
        "dataset spirals": ["sweephouse-spirals", "0.1.0"],
        "architecture fourier": ["sweephouse-spirals", "0.1.0"],
        "optimizer signum": ["sweephouse-spirals", "0.1.0"],
        "regularizer input_noise": ["sweephouse-spirals", "0.1.0"],
        "keras loaded": False,
    }


FIND = """
import json, sys
from runner.components.registry import load
found = {
    f"{c.kind.name} {c.name}": [c.distribution, c.version]
    for (_, name), c in load().components.items()
    if c.plugin == "spirals"
}
print(json.dumps(found | {"keras loaded": "keras" in sys.modules or "tensorflow" in sys.modules}))
"""


def test_it_trains_from_the_command_line_and_is_recorded(python, tmp_path):
    given = ["epochs=3", "architecture.width=16", "optimizer.momentum=0.8", "dataset.rows=300"]
    printed = run([python, "-m", "runner", *COMPONENTS, *given], tmp_path)
    assert "finished after 3 epochs" in printed
    rows = run(
        [python, "-m", "warehouse", "sql", "--format", "csv", RECORDED],
        tmp_path,
    )
    assert set(rows.split()[1:]) == {
        "architecture,fourier,sweephouse-spirals,0.1.0",
        "dataset,spirals,sweephouse-spirals,0.1.0",
        "optimizer,signum,sweephouse-spirals,0.1.0",
        "regularizer,input_noise,sweephouse-spirals,0.1.0",
    }


RECORDED = """
SELECT kind, name, distribution, version FROM components
WHERE distribution = 'sweephouse-spirals'
"""


def test_it_can_be_disabled_by_name(python, tmp_path):
    found = json.loads(run([python, "-c", FIND], tmp_path, SWEEPHOUSE_DISABLE="spirals"))
    assert found == {"keras loaded": False}
