"""A small OpenML server on this machine, in its REST format, with faults on demand."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

OML = 'xmlns:oml="http://openml.org/openml"'


class Flow:
    def __init__(self, id, name, version="sklearn==0.20.0", parameters=(), components=()):
        self.id, self.name, self.version = id, name, version
        self.parameters, self.components = dict(parameters), dict(components)

    def xml(self):
        parameters = "".join(
            f"<oml:parameter><oml:name>{escape(name)}</oml:name><oml:data_type></oml:data_type>"
            f"<oml:default_value>{escape(default)}</oml:default_value></oml:parameter>"
            for name, default in self.parameters.items()
        )
        components = "".join(
            f"<oml:component><oml:identifier>{key}</oml:identifier>{flow.xml()}</oml:component>"
            for key, flow in self.components.items()
        )
        return (
            f"<oml:flow {OML}><oml:id>{self.id}</oml:id><oml:uploader>1</oml:uploader>"
            f"<oml:name>{escape(self.name)}</oml:name><oml:version>1</oml:version>"
            f"<oml:external_version>{escape(self.version)}</oml:external_version>{parameters}{components}"
            "</oml:flow>"
        )

    def walk(self):
        yield self
        for flow in self.components.values():
            yield from flow.walk()


def error(code, message):
    return f"<oml:error {OML}><oml:code>{code}</oml:code><oml:message>{message}</oml:message></oml:error>"


class OpenmlServer:
    """Runs as dicts (run_id, task_id, flow_id, setup_id, uploader, upload_time, value), flows, setups."""

    def __init__(self, runs, flows, setups):
        self.runs, self.flows, self.setups = runs, {flow.id: flow for flow in flows}, setups
        self.asked = []
        self.fault = lambda number, path: None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/api/v1/xml/"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, path):
        words = path.split("/")
        if words[0] == "flow":
            flow = self.flows.get(int(words[1]))
            return (200, flow.xml()) if flow else (412, error(180, "Unknown flow"))
        if words[0] == "setup" and words[1] != "list":
            setup = self.setups.get(int(words[1]))
            if setup is None:
                return 412, error(281, "Unknown setup")
            return 200, self._setup(int(words[1])).replace("oml:setup>", "oml:setup_parameters>").replace(
                "<oml:setup_parameters>", f"<oml:setup_parameters {OML}>"
            )
        kind, options = words[0], words[2:]
        filters = dict(zip(options[::2], options[1::2]))
        start, limit = int(filters.get("offset", 0)), int(filters.get("limit", 10_000))
        if kind == "setup":
            ids = [int(id) for id in filters["setup"].split(",") if int(id) in self.setups]
            body = "".join(self._setup(id) for id in ids[start : start + limit])
            return self._list("setups", body, 674)
        rows = [run for run in self.runs if self._fits(run, filters)]
        if kind == "run":
            return self._list("runs", "".join(map(self._run, rows[start : start + limit])), 512)
        rows = [run for run in rows if run["value"] is not None]
        return self._list("evaluations", "".join(map(self._evaluation, rows[start : start + limit])), 542)

    def _fits(self, run, filters):
        return all(
            str(run[f"{key}_id" if key != "uploader" else key]) in filters[key].split(",")
            for key in ("task", "flow", "uploader")
            if key in filters
        )

    def _list(self, name, body, code):
        if not body:
            return 412, error(code, "No results")
        return 200, f"<oml:{name} {OML}>{body}</oml:{name}>"

    def _run(self, run):
        fields = "".join(
            f"<oml:{name}>{run[name]}</oml:{name}>"
            for name in ("run_id", "task_id", "setup_id", "flow_id", "uploader", "upload_time")
        )
        return f"<oml:run>{fields}<oml:task_type_id>1</oml:task_type_id><oml:error_message/></oml:run>"

    def _evaluation(self, run):
        return (
            f"<oml:evaluation><oml:run_id>{run['run_id']}</oml:run_id><oml:task_id>{run['task_id']}"
            f"</oml:task_id><oml:value>{run['value']}</oml:value></oml:evaluation>"
        )

    def _setup(self, id):
        flow_id, settings = self.setups[id]
        parameters = "".join(
            f"<oml:parameter><oml:id>1</oml:id><oml:flow_id>{owner}</oml:flow_id>"
            f"<oml:parameter_name>{escape(name)}</oml:parameter_name><oml:value>{escape(value)}</oml:value>"
            "</oml:parameter>"
            for (owner, name), value in settings.items()
        )
        return (
            f"<oml:setup><oml:setup_id>{id}</oml:setup_id><oml:flow_id>{flow_id}</oml:flow_id>{parameters}"
            "</oml:setup>"
        )

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.split("?")[0].removeprefix("/api/v1/xml/").strip("/")
                server.asked.append(path)
                fault = server.fault(len(server.asked), path)
                if fault == "hang up":
                    self.close_connection = True
                    self.connection.close()
                    return
                if callable(fault):
                    fault()
                status, body = fault if isinstance(fault, tuple) else server.answer(path)
                data = gzip.compress(body.encode())
                try:
                    self.send_response(status)
                    self.send_header("Content-Encoding", "gzip")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2] if fault == "cut" else data)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        return Handler
