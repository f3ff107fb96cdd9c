"""A form may bring files and words, but no ids, however they are written."""

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.form_ids import refuse_ids


def form(head: str, content: bytes = b"x") -> bytes:
    return b"--b\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n--b--\r\n"


NAMED = "Content-Disposition: form-data; name="
IDS = [
    NAMED + '"file_id"',
    NAMED + "file_id",
    NAMED + '"file_ids[]"',
    NAMED + '"container[file_ids][0]"',
    NAMED + '"FILE_ID"',
    NAMED + '"file%5Fid"',
    NAMED + '"fileId"',
    NAMED + '"voice[id]"',
    "content-disposition:form-data;\tname='vector_store_ids'",
    'Content-Disposition: form-data;\r\n name="file_id"',
    "Content-Disposition: form-data; name*=UTF-8''file_id",
    NAMED + '"a"; filename="; name="file_id"',
    'X: y\nContent-Disposition: form-data; name="conversation"',
]


@pytest.mark.parametrize("head", IDS)
def test_an_id_is_refused(head: str) -> None:
    with pytest.raises(InvalidRequest, match="send it as JSON"):
        refuse_ids(form(head))


@pytest.mark.parametrize(
    "body",
    [
        form(NAMED + '"prompt"', b'name="file_id"'),
        form(NAMED + '"file"; filename="my file id.txt"\r\nContent-Type: text/plain', b"file_id\n"),
        form(NAMED + '"purpose"', b"user_data"),
        form(NAMED + '"model"\r\nX-File: file_id'),
        b"",
        b"\xff" * 99,
    ],
)
def test_files_and_words_pass(body: bytes) -> None:
    refuse_ids(body)
