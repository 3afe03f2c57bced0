"""People and their repositories as pseudonyms."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from traces.errors import TraceError


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Turns names into pseudonyms under one secret salt (keyed BLAKE2b, since a person could forge others).

    Equal names give equal pseudonyms under one salt and unlinkable ones under two. Who does not know the salt
    cannot find a name by trying all names.

    Args:
        salt: at least 16 bytes.
    """

    salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.salt) < 16:
            raise ValueError("a salt has at least 16 bytes")

    def __call__(self, kind: str, name: object) -> str:
        """Return the pseudonym of ``name`` among names of this kind: 12 hex digits."""
        text = f"{kind}\0{name}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self.salt[:64], digest_size=6).hexdigest()

    @classmethod
    def from_file(cls, path: Path) -> Pseudonyms:
        """Read the salt from a file, which is made (readable by its owner only) where it does not exist.

        Raises:
            TraceError: the file is no salt.
        """
        try:
            salt = bytes.fromhex(path.read_text("ascii").strip())
            return cls(salt)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            salt = secrets.token_bytes(32)
            with open(path, "x", encoding="ascii", opener=_private) as file:
                file.write(salt.hex() + "\n")
            return cls(salt)
        except ValueError as error:
            raise TraceError(
                f"{path} does not hold a salt of hex digits; remove it to have a new one made"
            ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def default_salt_file() -> Path:
    """Return where this machine's salt lies, so that mining again gives the same pseudonyms."""
    import platformdirs

    return Path(platformdirs.user_data_dir("mile-rl")) / "traces-salt"
