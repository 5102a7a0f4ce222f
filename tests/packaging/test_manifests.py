"""What we ship for Kubernetes and Compose: valid by the published schemas, and of one mind."""

import importlib.util
from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from nss.config.load import parse
from nss.config.model import Config
from nss.config.sources import ListeningSourceConfig

PACKAGING = Path(__file__).parent.parent.parent / "packaging"
KUBERNETES = PACKAGING / "kubernetes"
COMPOSE = PACKAGING / "container" / "compose.yaml"
VERSIONS = ("1.28", "1.37")
"""The oldest that we look at, and the newest."""


def script(name: str) -> Any:  # noqa: ANN401 - a script, whose folder is no package
    """Return a module of packaging/container."""
    spec = importlib.util.spec_from_file_location(name, PACKAGING / "container" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build, root = script("build"), script("root")


def documents() -> dict[tuple[str, str], dict[str, Any]]:
    """Return all of Kubernetes' manifests, by kind and name."""
    found = {}
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for each in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if each["kind"] != "Kustomization":
                found[each["kind"], each["metadata"]["name"]] = each
    return found


MANIFESTS = documents()
POD = MANIFESTS["StatefulSet", "nss"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


def service() -> dict[str, Any]:
    """Return the service of the Compose file."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["nss"]
    return found


def configuration(text: str) -> Config:
    """Return a configuration that is valid, as `nss check` says before it looks at the machine."""
    return parse(text, Path("/etc/nss"))


def ports_of(config: Config) -> set[int]:
    """Return the ports that a configuration listens at."""
    found = {each.listen.port for each in config.sources if isinstance(each, ListeningSourceConfig)}
    metrics = config.service.metrics_listen
    return found if metrics is None else found | {metrics.port}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", MANIFESTS, ids="-".join)
def test_each_manifest_is_valid_by_the_published_schema(
    what: tuple[str, str], version: str
) -> None:
    kubernetes_validate.validate(MANIFESTS[what], version, strict=True)


def test_the_validator_refuses_a_key_that_there_is_not() -> None:
    wrong = yaml.safe_load((KUBERNETES / "statefulset.yaml").read_text(encoding="utf-8"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_the_kustomization_names_all_but_the_example_of_a_secret() -> None:
    named = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))
    files = {path.name for path in KUBERNETES.glob("*.yaml")}
    assert {*named["resources"]} == files - {"kustomization.yaml", "secret.example.yaml"}


def test_the_pod_has_the_ports_of_its_configuration_and_the_services_lead_to_them() -> None:
    config = configuration(MANIFESTS["ConfigMap", "nss"]["data"]["nss.toml"])
    ports = {each["name"]: each["containerPort"] for each in CONTAINER["ports"]}
    assert {*ports.values()} == ports_of(config)
    for name in ("nss", "nss-records"):
        for each in MANIFESTS["Service", name]["spec"]["ports"]:
            assert ports[each["targetPort"]] == each["port"]
    policy = MANIFESTS["NetworkPolicy", "nss"]["spec"]["ingress"]
    assert {port["port"] for rule in policy for port in rule["ports"]} == {*ports}
    open_to_all = {port["port"] for rule in policy if "from" not in rule for port in rule["ports"]}
    assert "metrics" not in open_to_all


def test_probes_ask_the_pages_of_the_metrics_port() -> None:
    asked = {
        name: (CONTAINER[name]["httpGet"]["path"], CONTAINER[name]["httpGet"]["port"])
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert asked == {
        "startupProbe": ("/livez", "metrics"),
        "livenessProbe": ("/livez", "metrics"),
        "readinessProbe": ("/readyz", "metrics"),
    }
    config = configuration(MANIFESTS["ConfigMap", "nss"]["data"]["nss.toml"])
    assert config.service.metrics_listen is not None
    assert config.service.metrics_listen.host not in {"127.0.0.1", "::1", "localhost"}


def test_the_pod_is_one_of_the_restricted_profile() -> None:
    assert MANIFESTS["Namespace", "nss"]["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }
    security = POD["securityContext"]
    assert security["runAsNonRoot"]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    users = {security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")}
    assert users == {root.USER}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(port > 1023 for port in ports_of_pod())  # no capability to bind another


def ports_of_pod() -> set[int]:
    """Return the ports of the pod."""
    return {each["containerPort"] for each in CONTAINER["ports"]}


def test_what_the_configuration_names_is_mounted() -> None:
    mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
    templates = MANIFESTS["StatefulSet", "nss"]["spec"]["volumeClaimTemplates"]
    volumes = {
        each["name"] for each in [*POD["volumes"], *(each["metadata"] for each in templates)]
    }
    assert {*mounts} == volumes
    secret = MANIFESTS["Secret", "nss"]["stringData"]
    config = configuration(MANIFESTS["ConfigMap", "nss"]["data"]["nss.toml"])
    assert config.service.control_socket is not None
    assert str(config.service.control_socket.parent) == mounts["run"]
    assert str(config.service.state_directory) == mounts["state"]
    tokens = [getattr(each, "token_file", None) for each in config.sources]
    assert [str(token) for token in tokens if token] == [f"{mounts['secrets']}/push.token"]
    assert {*secret} == {"push.token", "mcas.json"}
    assert CONTAINER["env"] == [{"name": "CREDENTIALS_DIRECTORY", "value": mounts["secrets"]}]


def test_a_stop_has_time_to_drain() -> None:
    config = configuration(MANIFESTS["ConfigMap", "nss"]["data"]["nss.toml"])
    assert POD["terminationGracePeriodSeconds"] >= config.service.drain_secs + 60
    assert service()["stop_grace_period"] == "90s"


def test_the_compose_file_is_valid() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    assert compose_spec.PyCompose.from_yaml(text).service_names() == ["nss"]
    with pytest.raises(ValueError, match="read_olny"):
        compose_spec.PyCompose.from_yaml(text.replace("read_only", "read_olny"))


def test_the_compose_file_publishes_the_ports_of_its_configuration() -> None:
    path = PACKAGING / "container" / "nss" / "nss.toml"
    config = configuration(path.read_text(encoding="utf-8"))
    assert {int(each.split(":")[1]) for each in service()["ports"]} == ports_of(config)
    assert service()["tmpfs"][0] == f"/run/nss:uid={root.USER},gid={root.USER},mode=0750"
    assert service()["secrets"] == ["mcas.json", "push.token"]


def test_all_name_the_image_that_is_built_and_its_health_check() -> None:
    made = build.image_config("0.1.0", "1970-01-01T00:00:00Z")
    assert service()["image"] == CONTAINER["image"] == f"{build.NAME}:0.1.0"
    assert service()["healthcheck"]["test"] == made["Healthcheck"]["Test"]
    assert made["User"] == f"{root.USER}:{root.USER}"


def test_the_root_gets_what_our_package_depends_on() -> None:
    assert {"python3", "ca-certificates", "adduser"} <= {*root.dependencies()}
