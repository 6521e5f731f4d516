"""The formula for Homebrew, to be copied into a tap."""

import hashlib

from release import DESCRIPTION

FORMULA = """\
class Digestif < Formula
  desc "{description}"
  homepage "{repository}"
  version "{version}"
  license "Apache-2.0"
{platforms}
  def install
    bin.install "digestif"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/digestif.bash" => "digestif"
    fish_completion.install "completions/digestif.fish"
    zsh_completion.install "completions/_digestif"
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/digestif version")
  end
end
"""

PLATFORM = """
  on_{system} do
    on_{processor} do
      url "{url}"
      sha256 "{digest}"
    end
  end
"""


def write(release, folder, archives):
    """Writes the formula for these archives (by target), and returns its path."""
    # digestif has no address before it is published. This name is reserved and has no owner (RFC 6761).
    repository = release.repository or "https://digestif.invalid"
    platforms = "".join(
        PLATFORM.format(
            system="macos" if "darwin" in target else "linux",
            processor="arm" if target.startswith("aarch64") else "intel",
            url=f"{repository}/releases/download/v{release.version}/{archive.name}",
            digest=hashlib.sha256(archive.read_bytes()).hexdigest(),
        )
        for target, archive in sorted(archives.items())
        if "windows" not in target
    )
    formula = folder / "digestif.rb"
    formula.write_text(
        FORMULA.format(
            description=DESCRIPTION,
            repository=repository,
            version=release.version,
            platforms=platforms,
        )
    )
    return formula
