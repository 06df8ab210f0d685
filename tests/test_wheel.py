"""The wheel holds all that osler needs: installed apart from the repository, it indexes and searches."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The scripts of an environment with the wheel; what osler depends on comes from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    venv.create(folder / "env", with_pip=True)
    (wheel,) = folder.glob("*.whl")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", str(wheel)]
    subprocess.run([folder / "env" / "bin" / "python", *install], check=True, capture_output=True)
    (site_packages,) = (folder / "env").glob("lib/python*/site-packages")
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    (site_packages / "dependencies.pth").write_text("\n".join(dependencies))
    return folder / "env" / "bin"


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_installed_wheel_shows_its_help_and_searches(installed, tmp_path):
    package = run(installed / "python", "-c", "import osler; print(osler.__file__)", cwd=tmp_path)
    assert Path(package.strip()).is_relative_to(installed.parent)
    assert "--full" in run(installed / "osler", "demo", "--help", cwd=tmp_path)
    (tmp_path / "corpus.jsonl").write_text('{"_id": "7", "title": "Scurvy", "text": "Scurvy needs vitamin C."}\n')
    run(installed / "osler", "index", "corpus.jsonl", "--index", "library", cwd=tmp_path)
    assert "7#0" in run(installed / "osler", "search", "vitamin", "--index", "library", cwd=tmp_path)
