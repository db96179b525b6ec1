"""Deploys the stacks into a moto server over HTTP, and reads back what it made.

    python3 moto_deploy.py FOLDER NAME REGION URL

moto knows fewer resources than AWS. One that it does not know is left out and named in the output;
references to it become a text. Exits with 1 and the reason where a stack or a check fails.
"""

import json
import logging
import os
import re
import sys
import warnings
from pathlib import Path

account = "111111111111"
os.environ.update(AWS_ACCESS_KEY_ID="moto", AWS_SECRET_ACCESS_KEY="moto", MOTO_ACCOUNT_ID=account)
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import boto3  # noqa: E402
from moto.backends import get_backend  # noqa: E402
from moto.cloudformation.parsing import get_model_map  # noqa: E402

# The models of a service are known once its module is loaded.
for module in ["ecr", "ec2", "ecs", "elasticache", "elbv2", "iam", "kms", "rds", "secretsmanager", "sns"]:
    get_backend(module)
models = get_model_map()
stacks = ["registry", "secrets", "mail", "network", "data", "services", "monitoring"]
# Of the form of an ARN, as policies demand.
placeholder = f"arn:aws:iam::{account}:role/not-in-moto"

# moto registers these types, and fails at what the templates say of them.
failing = {
    "AWS::Lambda::Function",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::SSM::Parameter",
}

# Properties that moto fails at.
dropped = {"AWS::RDS::DBInstance": ["DBParameterGroupName"]}


def known(resource):
    return resource["Type"] in models and resource["Type"] not in failing


def without_unknown(node, resources, kept):
    """References to what is left out become a text."""
    if isinstance(node, list):
        return [without_unknown(each, resources, kept) for each in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Ref"} and node["Ref"] in resources and node["Ref"] not in kept:
        return placeholder
    if set(node) == {"Fn::GetAtt"}:
        name, attribute = node["Fn::GetAtt"][0], node["Fn::GetAtt"][1]
        model = models.get(resources[name]["Type"]) if name in kept else None
        if model is None or not model.has_cfn_attr(attribute):
            if attribute == "PublicIp":
                return f"192.0.2.{1 + sorted(resources).index(name)}"
            return placeholder
    return {key: without_unknown(value, resources, kept) for key, value in node.items()}


def prepared(template):
    resources = template["Resources"]
    kept = {name for name, resource in resources.items() if known(resource)}
    template.pop("Rules", None)
    parameters = template.get("Parameters", {})
    parameters.pop("BootstrapVersion", None)
    left_out = {resource["Type"] for name, resource in resources.items() if name not in kept}
    template["Resources"] = {name: resources[name] for name in kept}
    for resource in template["Resources"].values():
        # References already order them, and moto takes no order that has a gap.
        resource.pop("DependsOn", None)
        for each in dropped.get(resource["Type"], []):
            resource.get("Properties", {}).pop(each, None)
    return without_unknown(template, resources, kept), left_out


def check(holds, what):
    if not holds:
        raise SystemExit(f"moto: {what}")


def read_back(name, client):
    repositories = client("ecr").describe_repositories()["repositories"]
    check(len(repositories) == 4, "there are not four repositories")
    check(all(each["imageTagMutability"] == "IMMUTABLE" for each in repositories), "a tag can move")

    [vpc] = [each for each in client("ec2").describe_vpcs()["Vpcs"] if not each["IsDefault"]]
    subnets = client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])
    check(len({each["AvailabilityZone"] for each in subnets["Subnets"]}) >= 2, "fewer than two zones")

    [database] = client("rds").describe_db_instances()["DBInstances"]
    check(database["MultiAZ"], "the database is in one zone")
    check(database["StorageEncrypted"], "the database is not encrypted")
    check(not database["PubliclyAccessible"], "the database is public")

    families = client("ecs").list_task_definition_families()["families"]
    check(len(families) == 4, f"there are not four task definitions: {families}")
    for family in families:
        task = client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]
        for container in task["containerDefinitions"]:
            check(container["readonlyRootFilesystem"], f"{container['name']} can write")

    groups = client("elbv2").describe_target_groups()["TargetGroups"]
    check([each["HealthCheckPath"] for each in groups] == ["/ready"] * 2, f"health is {groups}")
    listeners = [
        listener
        for balancer in client("elbv2").describe_load_balancers()["LoadBalancers"]
        for listener in client("elbv2").describe_listeners(
            LoadBalancerArn=balancer["LoadBalancerArn"]
        )["Listeners"]
    ]
    check(sorted(each["Port"] for each in listeners) == [80, 443, 8443], f"listeners: {listeners}")
    encrypted = [each["SslPolicy"] for each in listeners if each["Port"] != 80]
    check(all("TLS13" in each for each in encrypted), f"policies are {encrypted}")

    dashboards = client("cloudwatch").list_dashboards()["DashboardEntries"]
    check([each["DashboardName"] for each in dashboards] == [name], "the dashboard is missing")
    return f"{len(repositories)} repositories, {len(families)} tasks, {len(listeners)} listeners"


def main(folder, name, region, url):
    def client(service):
        return boto3.client(service, region_name=region, endpoint_url=url)

    certificate = client("acm").request_certificate(DomainName="auth.example.com")["CertificateArn"]
    left_out, made = set(), 0
    for stack in stacks:
        text = (Path(folder) / f"{name}-{stack}.template.json").read_text()
        # The one of the file is not there.
        text = re.sub(r"arn:aws:acm:[\w:-]+/[\w-]+", certificate, text)
        template, unknown = prepared(json.loads(text))
        left_out |= unknown
        made += len(template["Resources"])
        if not template["Resources"] and not template.get("Outputs"):
            continue
        client("cloudformation").create_stack(
            StackName=f"{name}-{stack}",
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        status = client("cloudformation").describe_stacks(StackName=f"{name}-{stack}")["Stacks"][0]["StackStatus"]
        check(status == "CREATE_COMPLETE", f"{stack} is {status}")
    print(f"moto made {made} resources of {name}; read back over HTTP: {read_back(name, client)}.")
    print(f"moto knows nothing of: {', '.join(sorted(left_out))}.")


main(*sys.argv[1:])
