"""A small CRM beside ctigate: it says who a caller is, and shows forms to its managers.

    python crm.py --connect wss://127.0.0.1:4067/ --ca ../../certs/server.pem     ctigate accepts (digest)
    python crm.py --listen 127.0.0.1:9000                                         ctigate dials (basic)
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import re
import secrets
import ssl
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.asyncio.server import basic_auth, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

EXAMPLES = Path(__file__).parents[1]
CONTRACT = json.loads((EXAMPLES / "contract.json").read_text())  # the declarations, as they go over the wire
CLIENTS = {client["phone"]: client for client in json.loads((EXAMPLES / "clients.json").read_text())}
NOBODY = {"clientid": "", "name": "", "manager": "", "vip": False}
SELF = {"type": "crm", "name": "Python CRM", "version": "1.0"}


def find_client(phone):
    found = CLIENTS.get(phone, NOBODY)
    return {name: found[name] for name in NOBODY}


def save_call(phone, result="", comment=""):
    print(f"saved: {phone} {result} {comment}")
    return {"saved": True}


RUN = {"FindClient": find_client, "SaveCall": save_call}


class Link:
    """One connection with ctigate, whoever opened it."""

    def __init__(self, socket, answer_after):
        self.socket = socket
        self.answer_after = answer_after
        self.open_forms = {}
        self.packets = {}

    async def send(self, name, /, **body):
        await self.socket.send(json.dumps([name, body], ensure_ascii=False))

    async def run(self):
        try:
            await self.send("whoareyou", qid=str(uuid.uuid4()), **SELF)
            async for text in self.socket:
                await self.handle(*json.loads(text))
        except ConnectionClosed:
            pass
        print(f"link closed: {self.socket.close_reason}")

    async def handle(self, name, body):
        """Each message has its method here; replies and events that we do not use are passed over."""
        handler = getattr(self, f"on_{name}", None)
        if handler:
            await handler(body)

    async def on_multipart(self, body):
        """A long message comes in packets: base64 pieces of its text, numbered from 0."""
        packets = self.packets.setdefault(body["message-id"], {})
        packets[int(body["packetnumber"])] = base64.b64decode(body["content"])
        if len(packets) == int(body["packetcount"]):
            del self.packets[body["message-id"]]
            await self.handle(*json.loads(b"".join(packets[i] for i in sorted(packets))))

    async def on_ping(self, body):
        await self.send("pong", **body)

    async def on_whoareyou(self, body):
        await self.send("iam", qid=body.get("qid"), **SELF)

    async def on_iam(self, body):
        print(f"linked with {body.get('name')} {body.get('version')}")

    async def on_getavailablemethods(self, body):
        await self.send("availablemethods", qid=body.get("qid"), result=1, methods=CONTRACT["methods"])

    async def on_getavailableforms(self, body):
        await self.send("availableforms", qid=body.get("qid"), result=1, forms=CONTRACT["forms"])

    async def on_getactiveusers(self, body):
        """Whose pages are open in the CRM: only to these ctigate sends forms by this link."""
        managers = {client["manager"] for client in CLIENTS.values()} if self.answer_after else ()
        users = [{"userlogin": login, "userid": "", "type": "manager"} for login in sorted(managers)]
        await self.send("activeusers", qid=body.get("qid"), users=users)

    async def on_executemethod(self, body):
        try:
            answer = {"result": 1, "outputparameters": RUN[body["name"]](**body.get("inputparameters", {}))}
        except (KeyError, TypeError) as wrong:
            answer = {"result": 0, "error": 59002, "errormsg": f"Bad request: {wrong}", "outputparameters": {}}
        await self.send("methodresult", qid=body.get("qid"), executionid=body["executionid"], **answer)

    async def on_showform(self, body):
        print(f"form {body['name']} for {body['userlogin']}: {body['inputparameters']}")
        await self.send("showformresult", qid=body.get("qid"), result=1)
        self.open_forms[body["formid"]] = asyncio.create_task(self.answer(body))

    async def answer(self, form):
        """Stands for a manager who reads the form and answers it."""
        await asyncio.sleep(self.answer_after)
        self.open_forms.pop(form["formid"], None)
        await self.send("formresult", qid=str(uuid.uuid4()), formid=form["formid"], userid=form["userid"],
                        outputparameters={"resultcode": "done"}, comment="answered in the CRM")

    async def on_closeform(self, body):
        print(f"form closed: {body.get('reason')}")
        if task := self.open_forms.pop(body["formid"], None):
            task.cancel()


def authorization(challenges, uri, login, password):
    """Answers a Digest challenge (RFC 7616) for a GET, SHA-256 rather than MD5."""
    offers = {}
    for challenge in challenges:
        asked = {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', challenge)}
        if challenge.lower().startswith("digest "):
            offers[asked.get("algorithm", "MD5").upper()] = asked
    algorithm = next(name for name in ("SHA-256", "MD5") if name in offers)
    digest = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}[algorithm]
    realm, nonce = offers[algorithm]["realm"], offers[algorithm]["nonce"]

    def h(*parts):
        return digest(":".join(parts).encode()).hexdigest()

    nc, cnonce = "00000001", secrets.token_hex(16)
    response = h(h(login, realm, password), nonce, nc, cnonce, "auth", h("GET", uri))
    return (f'Digest username="{login}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm={algorithm}, '
            f'qop=auth, nc={nc}, cnonce="{cnonce}", response="{response}"')


async def dial(options):
    """Keeps a connection open: in this mode restoring it is our part."""
    url = urlsplit(options.connect)
    tls = ssl.create_default_context(cafile=options.ca) if url.scheme == "wss" else None
    common = {"subprotocols": ["json"], "ssl": tls, "proxy": None}
    while True:
        try:
            try:
                socket = await connect(options.connect, **common)
            except InvalidStatus as refusal:
                if refusal.response.status_code != 401:
                    raise
                challenges = refusal.response.headers.get_all("WWW-Authenticate")
                header = authorization(challenges, url.path or "/", options.login, options.password)
                socket = await connect(options.connect, additional_headers={"Authorization": header}, **common)
            async with socket:
                await Link(socket, options.answer_after).run()
        except (OSError, InvalidStatus) as failure:
            print(f"no link: {failure}")
        await asyncio.sleep(2)


async def listen(options):
    host, port = options.listen.rsplit(":", 1)
    guard = basic_auth("crm", credentials=(options.login, options.password))

    async def link(socket):
        await Link(socket, options.answer_after).run()

    async with serve(link, host, int(port), subprotocols=["json"], process_request=guard) as server:
        print(f"listening on {options.listen}")
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--connect", metavar="URL", help="connect to ctigate")
    way.add_argument("--listen", metavar="HOST:PORT", help="wait for ctigate to dial")
    parser.add_argument("--login", default="crm")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--ca", help="certificate to trust (PEM), such as the gateway's own")
    parser.add_argument("--answer-after", type=float, default=0, metavar="SECONDS", help="answer forms for the managers")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(dial(options) if options.connect else listen(options))
