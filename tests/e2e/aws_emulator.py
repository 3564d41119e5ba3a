"""Emulates STS, IAM and the control plane of Aurora DSQL with moto, and the endpoints from which
containers, instances and users of IAM Identity Center get credentials.

The first line of standard input is a JSON object:

  region      where the cluster is
  endpoint    the host name that GetCluster returns; moto's own is not a cluster
  status      ClusterStatus of the cluster
  lookups     how many lookups return this status before it becomes ACTIVE; null for all
  throttled   whether lookups are rejected because there are too many
  log         file to which each request adds a line of JSON
  roles       name -> {"trust": policy or null, "policy": policy or null}
  user        policy of an IAM user; with it, signatures and policies are checked
  tls         null, or for HTTPS {"certificate": file, "key": file, "authority": file}

The response is a line of JSON: url, identifier, and the user's keys. The emulator stops when
standard input ends.

The keys of a role's session are made from its name, because the emulator of the cluster must know
them: ASIA<NAME>, secret-of-<name>, session-of-<name>.
"""

import io
import json
import sys
import threading
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl

import boto3
import botocore.session
from moto import settings
from moto.core.exceptions import JsonRESTError
from moto.dsql.models import Cluster, dsql_backends
from moto.dsql.responses import AuroraDSQLResponse
from moto.iam.access_control import IAMRequest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sts.models import AssumedRole
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

ACCOUNT = "123456789012"
config = json.loads(sys.stdin.readline())


def keys_of(name):
    return {
        "AccessKeyId": "ASIA" + name.upper(),
        "SecretAccessKey": "secret-of-" + name,
        "Token": "session-of-" + name,
        "Expiration": (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


assumed = AssumedRole.__init__


def assumed_with_known_keys(self, *args, **kwargs):
    assumed(self, *args, **kwargs)
    keys = keys_of(self.role_arn.split("/")[-1])
    self.access_key_id = keys["AccessKeyId"]
    self.secret_access_key = keys["SecretAccessKey"]
    self.session_token = keys["Token"]


AssumedRole.__init__ = assumed_with_known_keys
# As AWS does: the permission is needed on the cluster, not on everything.
AuroraDSQLResponse._determine_resource = lambda self: (
    f"arn:aws:dsql:{self.region}:{ACCOUNT}:cluster/{self.path.split('/')[-1]}"
)
check_signature = IAMRequest.check_signature
raise_access_denied = IAMRequest._raise_access_denied


def check_signature_of_sts(self):
    # moto computes another signature than botocore for a GET of a REST service.
    if self._service != "dsql":
        check_signature(self)


def raise_access_denied_as_json(self):
    if self._service == "dsql":
        raise JsonRESTError("AccessDeniedException", f"not authorized to perform: {self._action}")
    raise_access_denied(self)


IAMRequest.check_signature = check_signature_of_sts
IAMRequest._raise_access_denied = raise_access_denied_as_json


def operation(service, name):
    """AWS's own description of an operation."""
    return botocore.session.get_session().get_service_model(service).operation_model(name)


GET_ROLE_CREDENTIALS = operation("sso", "GetRoleCredentials")
CREATE_TOKEN = operation("sso-oidc", "CreateToken")


def asks_for(operation, request):
    return (request.method, request.path) == (operation.http["method"], operation.http["requestUri"])


def parameters(operation, request):
    """What a request says, read where AWS's description of the operation has it."""
    places = {"querystring": request.args, "header": request.headers}
    sent = {}
    for name, shape in operation.input_shape.members.items():
        place = places.get(shape.serialization.get("location"))
        place = request.get_json() if place is None else place
        sent[name] = place.get(shape.serialization.get("name", name))
    return sent


def error(status, code, message):
    body = json.dumps({"__type": code, "message": message})
    return Response(body, status=status, mimetype="application/json")


class Emulator:
    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.log = open(config["log"], "a", buffering=1)

    def __call__(self, environ, start_response):
        request = Request(environ)
        answer = self.metadata(request) or self.identity_center(request)
        if answer:
            return answer(environ, start_response)
        body = request.get_data(cache=True)
        environ["wsgi.input"] = io.BytesIO(body)
        form = dict(parse_qsl(body.decode(errors="replace")))
        self.log.write(json.dumps({"path": request.path, **form}) + "\n")
        if request.method == "GET" and request.path.startswith("/cluster/"):
            if config["throttled"]:
                return error(429, "ThrottlingException", "Rate exceeded")(environ, start_response)
            self.look_up()
        return self.moto(environ, start_response)

    def look_up(self):
        if config["lookups"] == 0:
            made.status = "ACTIVE"
        elif config["lookups"]:
            config["lookups"] -= 1

    def metadata(self, request):
        credentials = "/latest/meta-data/iam/security-credentials/"
        if request.path == "/container":
            return Response(json.dumps(keys_of("container")), mimetype="application/json")
        if request.path == "/latest/api/token":
            return Response("t", headers={"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "21600"})
        if request.path == credentials:
            return Response("instance")
        if request.path == credentials + "instance":
            keys = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z"}
            return Response(json.dumps({**keys, **keys_of("instance")}))
        return None


    def identity_center(self, request):
        """The portal from which a login gets the keys of a role, and where it is renewed."""
        if asks_for(GET_ROLE_CREDENTIALS, request):
            sent = parameters(GET_ROLE_CREDENTIALS, request)
            self.log.write(json.dumps({"path": request.path, **sent}) + "\n")
            if sent["accessToken"] not in ("logged-in", "renewed") or sent["accountId"] != ACCOUNT:
                return error(401, "UnauthorizedException", "Session token not found or invalid")
            keys = keys_of(sent["roleName"])
            credentials = {
                "accessKeyId": keys["AccessKeyId"],
                "secretAccessKey": keys["SecretAccessKey"],
                "sessionToken": keys["Token"],
                "expiration": int((datetime.now(timezone.utc) + timedelta(hours=1)).timestamp() * 1000),
            }
            return Response(json.dumps({"roleCredentials": credentials}), mimetype="application/json")
        if asks_for(CREATE_TOKEN, request):
            sent = parameters(CREATE_TOKEN, request)
            self.log.write(json.dumps({"path": request.path, **sent}) + "\n")
            token = {"accessToken": "renewed", "tokenType": "Bearer", "expiresIn": 28800}
            return Response(json.dumps(token), mimetype="application/json")
        return None


class Handler(WSGIRequestHandler):
    def make_environ(self):
        environ = super().make_environ()
        # werkzeug leaves out what has an underscore in its name.
        bearer = GET_ROLE_CREDENTIALS.input_shape.members["accessToken"].serialization["name"]
        environ["HTTP_" + bearer.upper().replace("-", "_")] = self.headers.get(bearer, "")
        return environ


tls = config["tls"]
server = make_server(
    "127.0.0.1",
    0,
    Emulator(),
    threaded=True,
    request_handler=Handler,
    ssl_context=(tls["certificate"], tls["key"]) if tls else None,
)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"https://localhost:{server.server_port}" if tls else f"http://127.0.0.1:{server.server_port}"


def client(service):
    return boto3.client(
        service,
        endpoint_url=url,
        verify=tls["authority"] if tls else None,
        region_name=config["region"],
        aws_access_key_id="setup",
        aws_secret_access_key="setup",
    )


cluster = client("dsql").create_cluster(deletionProtectionEnabled=False)
made = dsql_backends[ACCOUNT][config["region"]].clusters[cluster["identifier"]]
made.endpoint = config["endpoint"]
made.status = config["status"]
Cluster.advance = lambda self: None

iam = client("iam")
anyone = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}


def policy(text):
    """Policies are written for a cluster whose identifier moto has made only now."""
    return json.dumps(text).replace("CLUSTER", cluster["identifier"])


for name, role in config["roles"].items():
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(role["trust"] or anyone))
    if role["policy"]:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(role["policy"]))
answer = {"url": url, "identifier": cluster["identifier"]}
if config["user"]:
    iam.create_user(UserName="ci")
    iam.put_user_policy(UserName="ci", PolicyName="p", PolicyDocument=policy(config["user"]))
    keys = iam.create_access_key(UserName="ci")["AccessKey"]
    answer |= {"access_key_id": keys["AccessKeyId"], "secret_access_key": keys["SecretAccessKey"]}
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
open(config["log"], "w").close()
print(json.dumps(answer), flush=True)
sys.stdin.read()
