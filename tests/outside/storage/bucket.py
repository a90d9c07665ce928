"""A bucket in memory that speaks as much of S3 as our storage uses, for tests without a network.

It shows that our calls are S3's calls; that obstore speaks S3 to every server is obstore's own claim.
"""

from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TIME = "2026-11-23T12:00:00.000Z"


class Bucket:
    """One bucket named `photos`. Refuses whoever does not sign; `is_broken` answers 503 to everything."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}
        self.is_broken = False
        self.app = Starlette(
            routes=[
                Route("/photos", self.many, methods=["GET", "POST"]),
                Route("/photos/{key:path}", self.one, methods=["GET", "HEAD", "PUT", "DELETE"]),
            ]
        )

    async def one(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        key = request.path_params["key"]
        if request.method == "PUT":
            self.files[key] = (await request.body(), request.headers.get("content-type", ""))
            return Response(headers={"ETag": '"1"'})
        if request.method == "DELETE":
            self.files.pop(key, None)
            return Response(status_code=204)
        if key not in self.files:
            return Response("<Error><Code>NoSuchKey</Code></Error>", status_code=404)
        body, content_type = self.files[key]
        headers = {
            "ETag": '"1"',
            "Last-Modified": "Mon, 23 Nov 2026 12:00:00 GMT",
            "Content-Type": content_type,
        }
        return Response(body, headers=headers)

    async def many(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if request.method == "POST":
            return await self._delete_many(request)
        prefix = request.query_params.get("prefix", "")
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{TIME}</LastModified>"
            f"<ETag>1</ETag><Size>{len(body)}</Size></Contents>"
            for key, (body, _) in self.files.items()
            if key.startswith(prefix)
        )
        page = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        return Response(page, media_type="application/xml")

    async def _delete_many(self, request: Request) -> Response:
        text = (await request.body()).decode()
        keys = [part.split("</Key>")[0] for part in text.split("<Key>")[1:]]
        for key in keys:
            self.files.pop(key, None)
        rows = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return Response(f"<DeleteResult>{rows}</DeleteResult>", media_type="application/xml")

    def _refused(self, request: Request) -> Response | None:
        if self.is_broken:
            return Response(status_code=503)
        is_signed = request.headers.get("authorization", "").startswith(
            "AWS4-HMAC-SHA256 Credential=test-id/"
        )
        return None if is_signed else Response(status_code=403)
