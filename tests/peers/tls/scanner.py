"""sslyze, a scanner for the known faults of TLS servers, for the peer tests.

scanner.py PORT CA   prints one "name: value" line for each finding; the profiles are Mozilla's, version 5.7
"""
import pathlib
import sys

from sslyze import (
    CertificateInfoExtraArgument,
    ScanCommand,
    ScanCommandAttemptStatusEnum,
    ScanCommandsExtraArguments,
    Scanner,
    ServerNetworkConfiguration,
    ServerNetworkLocation,
    ServerScanRequest,
    ServerScanStatusEnum,
)
from sslyze.mozilla_tls_profile.tls_config_checker import (
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)

port, ca = sys.argv[1:]
ca = pathlib.Path(ca)
scanner = Scanner()
scanner.queue_scans([
    ServerScanRequest(
        server_location=ServerNetworkLocation(hostname="localhost", port=int(port), ip_address="127.0.0.1"),
        network_configuration=ServerNetworkConfiguration(tls_server_name_indication="localhost", network_timeout=20),
        scan_commands=set(ScanCommand),
        scan_commands_extra_arguments=ScanCommandsExtraArguments(
            certificate_info=CertificateInfoExtraArgument(custom_ca_file=ca)),
    )
])
(result,) = scanner.get_results()
if result.scan_status != ServerScanStatusEnum.COMPLETED:
    sys.exit(f"the scan did not come to an end: {result.connectivity_error_trace}")
found = result.scan_result
for command in ScanCommand:
    attempt = getattr(found, command.value)
    if attempt.status != ScanCommandAttemptStatusEnum.COMPLETED:
        sys.exit(f"{command.value}: {attempt.status} {attempt.error_reason} {attempt.error_trace}")


def tell(name, value):
    print(f"{name}: {value}")


for command in ScanCommand:
    if command.value.endswith("_cipher_suites"):
        suites = getattr(found, command.value).result.accepted_cipher_suites
        tell(command.value, " ".join(sorted(suite.cipher_suite.name for suite in suites)) or "none")
# Of resumption it knows nothing: it takes a ticket that is renewed for one that was refused.
for name in ("tls_compression", "tls_1_3_early_data", "openssl_ccs_injection", "tls_fallback_scsv", "heartbleed",
             "robot", "session_renegotiation", "tls_extended_master_secret", "elliptic_curves",
             "certificate_info"):
    result_of = getattr(found, name).result
    if name == "robot":
        tell(name, result_of.robot_result.name)
    elif name == "elliptic_curves":
        tell(name, " ".join(sorted(curve.name for curve in result_of.supported_curves)))
    elif name == "certificate_info":
        (deployment,) = result_of.certificate_deployments
        verified = [path.was_validation_successful for path in deployment.path_validation_results
                    if path.trust_store.path == ca]
        tell("verified", " ".join(map(str, verified)))
        tell("chain in order", deployment.received_chain_has_valid_order)
    else:
        for field, value in sorted(vars(result_of).items()):
            tell(f"{name} {field}", value)
for profile in (TlsConfigurationEnum.MOZILLA_INTERMEDIATE, TlsConfigurationEnum.MOZILLA_MODERN):
    try:
        check_server_against_tls_configuration(result, MozillaTlsConfiguration.get(profile))
        tell(f"{profile.value} profile", "kept")
    except ServerNotCompliantWithTlsConfiguration as error:
        tell(f"{profile.value} profile", " ".join(sorted(error.issues)))
