"""`starbooth storage`, as an operator runs it."""

import os
import time
from pathlib import Path

from starbooth.base.database import Database
from tests.cli.commands import starbooth
from tests.make.gallery import add_pictures
from tests.make.guests import make_guest

STRAY = "training/cset/cphoto.jpg"


class TestStorage:
    async def test_strays_and_lost_files_are_shown_and_strays_deleted(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        def storage(*arguments: str) -> tuple[int, str]:
            said = starbooth("storage", *arguments, home=tmp_path, DATABASE_URL=database_url)
            assert "Traceback" not in said.stderr
            return said.returncode, said.stdout

        assert storage() == (0, "0 files, 0.0 MB.\nStorage holds what the database names.\n")
        stray = tmp_path / "storage" / STRAY
        stray.parent.mkdir(parents=True)
        stray.write_bytes(b"a face")
        assert storage()[0] == 0  # young
        two_days_ago = time.time() - 2 * 86_400
        os.utime(stray, (two_days_ago, two_days_ago))
        status, said = storage()
        assert (status, STRAY in said, stray.exists()) == (1, True, True)
        assert "--delete takes the strays away." in said
        status, said = storage("--delete")
        assert (status, stray.exists()) == (0, False)
        assert "1 strays deleted." in said
        await add_pictures(database, await make_guest(database), ["a boat"])
        status, said = storage("--delete")
        assert status == 1
        assert f"pictures/c{0:024}/0.png (picture)" in said
