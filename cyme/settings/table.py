"""The table of settings: each stands here once, and nowhere else.

A setting ``stop_timeout_s`` with the key ``stop-timeout`` is the flag ``--stop-timeout``, the
variable ``CYME_STOP_TIMEOUT`` and the key ``stop-timeout`` of the settings file. Its type is
the annotation, what is accepted is its kind, and the help is what ``cyme-branch --help`` and
the documentation print.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from cyme.core.branches import INSTANCES_MAX
from cyme.settings.kinds import (
    ADDRESS,
    CLUSTER_PORT,
    DATABASE,
    GROUP,
    HOST,
    HOSTS,
    LABELS,
    LEVEL,
    LOOPBACK,
    NAME,
    PATH,
    PEER,
    PEERS,
    SWITCH,
    TAKEOVER,
    UMASK,
    URL,
    USER,
    WEBHOOK_TARGETS,
    Address,
    count,
    seconds,
)
from cyme.settings.rows import Section, Setting, row

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a branch was told, from whichever source; the rows of the table."""

    address: Address = field(
        default=Address(LOOPBACK, 8000),
        metadata=row(
            "address",
            Section.BRANCH,
            ADDRESS,
            "Where HTTP is served. Without ADDR it is 127.0.0.1; port 0 takes a free one.",
        ),
    )
    branch_id: str | None = field(
        default=None,
        metadata=row(
            "id",
            Section.BRANCH,
            NAME,
            "The name of this branch, unique in its cluster.",
            short="i",
            default_text="what the directory remembers, else the host's name and a suffix",
        ),
    )
    instance_dir: Path = field(
        default=Path("instances"),
        metadata=row(
            "instance-dir",
            Section.BRANCH,
            PATH,
            "The branch's directory: its database and tokens, the logs and pid files of its "
            "workers. It is created readable for its owner alone.",
            short="D",
        ),
    )
    database: str | None = field(
        default=None,
        repr=False,
        metadata=row(
            "db",
            Section.BRANCH,
            DATABASE,
            "The database for the records, as in postgresql://user@host/name or "
            "mysql://user@host/name.",
            default_text="SQLite in the branch's directory",
        ),
    )
    state_dir: Path | None = field(
        default=None,
        metadata=row(
            "state-dir",
            Section.BRANCH,
            PATH,
            "Where the branches of this user keep what they share: the embedded broker, and the "
            "secret of a cluster on this machine.",
            default_text="$XDG_STATE_HOME/cyme or ~/.local/state/cyme",
        ),
    )

    cluster: str = field(
        default="default",
        metadata=row(
            "cluster",
            Section.CLUSTER,
            NAME,
            "The name of the cluster. Branches find each other if they have the same, and those "
            "of one user on one machine share the embedded broker.",
        ),
    )
    join: tuple[Address, ...] = field(
        default=(),
        metadata=row(
            "join",
            Section.CLUSTER,
            PEERS,
            "A branch on another machine; one that can be reached is enough to find them all. "
            "May be repeated.",
            default_text="whoever is found on this network, and who was known before",
        ),
    )
    bind: Address = field(
        default=Address(LOOPBACK, 0),
        metadata=row(
            "bind",
            Section.CLUSTER,
            PEER,
            "Where other branches reach this one: an address of this machine, or 0.0.0.0. Two "
            "ports are bound, PORT and the next one. Any address but loopback needs "
            "--cluster-secret.",
            default_text=f"this machine alone; with an address but no port {CLUSTER_PORT}",
        ),
    )
    advertise: str | None = field(
        default=None,
        metadata=row(
            "advertise",
            Section.CLUSTER,
            HOST,
            "The name or address that other branches are told to reach this one at.",
            default_text="the bound address, or this machine's where that is 0.0.0.0",
        ),
    )
    cluster_secret: Path | None = field(
        default=None,
        metadata=row(
            "cluster-secret",
            Section.CLUSTER,
            PATH,
            "The file with the cluster's secret, the same on every machine and readable for its "
            "owner alone. cyme-branch secret FILE makes one. Whoever has it can run code on every "
            "machine of the cluster.",
            default_text="for a cluster on this machine one is made in the state directory",
        ),
    )
    takeover_s: float | None = field(
        default=30.0,
        metadata=row(
            "takeover",
            Section.CLUSTER,
            TAKEOVER,
            "How long after a branch has failed this one takes its instances over. A worker that "
            "still answers is left alone.",
        ),
    )
    labels: tuple[tuple[str, str], ...] = field(
        default=(),
        metadata=row(
            "label",
            Section.CLUSTER,
            LABELS,
            "What this branch is or has. An instance with labels runs only on branches that have "
            "all of them. May be repeated.",
        ),
    )
    capacity: int = field(
        default=INSTANCES_MAX,
        metadata=row(
            "capacity",
            Section.CLUSTER,
            count(0, 10_000),
            "How many instances this branch runs at most. New ones go where most room is.",
        ),
    )
    drain: bool = field(
        default=False,
        metadata=row(
            "drain",
            Section.CLUSTER,
            SWITCH,
            "Hand the instances over to other branches before this one stops.",
        ),
    )

    broker: str | None = field(
        default=None,
        repr=False,
        metadata=row(
            "broker",
            Section.BROKER,
            URL,
            "The default broker of new apps, as in amqp://user:password@host:5672/vhost or "
            "redis://host:6379/0. Better given by the variable than on the command line, which "
            "every user of the machine can read.",
            short="b",
            default_text="an embedded one, which is not for production",
        ),
    )
    result_backend: str | None = field(
        default=None,
        repr=False,
        metadata=row(
            "result-backend",
            Section.BROKER,
            URL,
            "Where the workers of new apps keep results.",
            default_text="the broker itself, or this branch for AMQP",
        ),
    )
    wait_after_broker_revived_s: float = field(
        default=35.0,
        metadata=row(
            "wait-after-broker-revived",
            Section.BROKER,
            seconds(0.0, _DAY_S),
            "How long workers have to come back after their broker was away before they are "
            "restarted.",
        ),
    )

    without_http: bool = field(
        default=False,
        metadata=row(
            "without-http",
            Section.HTTP,
            SWITCH,
            "Serve no HTTP; the branch only keeps its workers running.",
            aliases=("--without-httpd",),
        ),
    )
    tls_cert: Path | None = field(
        default=None,
        metadata=row(
            "tls-cert",
            Section.HTTP,
            PATH,
            "The certificate chain (PEM); makes it HTTPS.",
            default_text="none",
        ),
    )
    tls_key: Path | None = field(
        default=None,
        metadata=row(
            "tls-key",
            Section.HTTP,
            PATH,
            "The certificate's private key (PEM).",
            default_text="in the certificate's file",
        ),
    )
    require_token: bool = field(
        default=False,
        metadata=row(
            "require-token",
            Section.HTTP,
            SWITCH,
            "Ask for a token on a loopback address too, where anybody on this machine is an "
            "operator otherwise.",
        ),
    )
    insecure: bool = field(
        default=False,
        metadata=row(
            "insecure",
            Section.HTTP,
            SWITCH,
            "Serve other addresses than loopback without TLS. Whoever sees the traffic can then "
            "read every token and broker password, and use them. Tokens are asked for all the "
            "same.",
        ),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata=row(
            "allowed-host",
            Section.HTTP,
            HOSTS,
            "A further host name that clients may use for this branch; may be repeated.",
            default_text="this machine's names and the address",
        ),
    )

    sup_interval_s: float = field(
        default=10.0,
        metadata=row(
            "sup-interval",
            Section.WORKERS,
            seconds(0.1, _DAY_S),
            "How often the supervisor looks at every worker; a change is looked at at once.",
        ),
    )
    start_timeout_s: float = field(
        default=60.0,
        metadata=row(
            "start-timeout",
            Section.WORKERS,
            seconds(1.0, _DAY_S),
            "How long a worker may take from its start to its first answer.",
        ),
    )
    stop_timeout_s: float = field(
        default=60.0,
        metadata=row(
            "stop-timeout",
            Section.WORKERS,
            seconds(0.0, _DAY_S),
            "How long a worker that stops may finish its tasks (a warm stop).",
        ),
    )
    kill_timeout_s: float = field(
        default=10.0,
        metadata=row(
            "kill-timeout",
            Section.WORKERS,
            seconds(0.0, _DAY_S),
            "How long a worker may take then to drop its tasks before it is killed (a cold stop).",
        ),
    )
    unresponsive_after_s: float = field(
        default=60.0,
        metadata=row(
            "unresponsive-after",
            Section.WORKERS,
            seconds(1.0, _DAY_S),
            "A worker that is silent so long and does nothing is restarted.",
        ),
    )
    parallel_starts: int | None = field(
        default=None,
        metadata=row(
            "parallel-starts",
            Section.WORKERS,
            count(1, 1024),
            "How many workers start at a time.",
            default_text="four for each processor",
        ),
    )
    restarts_max: int = field(
        default=8,
        metadata=row(
            "restarts-max",
            Section.WORKERS,
            count(0, 1_000_000),
            "After so many failures, without a good minute between them, a worker is given up "
            "until it is changed or restarted by hand.",
        ),
    )
    webhook_allow: tuple[str, ...] = field(
        default=(),
        metadata=row(
            "webhook-allow",
            Section.WORKERS,
            WEBHOOK_TARGETS,
            "What queued URLs may reach besides public addresses: a network (10.0.0.0/8), a host "
            "name, or one of the words private, loopback, any; may be repeated.",
            default_text="public addresses only",
        ),
    )
    stop_workers_at_exit: bool = field(
        default=False,
        metadata=row(
            "stop-workers-at-exit",
            Section.WORKERS,
            SWITCH,
            "Stop all workers when the branch stops. Otherwise they run on, and the next start of "
            "the branch takes them over.",
        ),
    )

    loglevel: str = field(
        default="INFO",
        metadata=row(
            "loglevel",
            Section.LOGGING,
            LEVEL,
            "How much is logged: debug, info, warning, error or critical.",
            short="l",
        ),
    )
    logfile: Path | None = field(
        default=None,
        metadata=row(
            "logfile",
            Section.LOGGING,
            PATH,
            "The log. It is opened anew when logrotate has moved it, and at SIGHUP.",
            short="f",
            default_text="standard error; cyme-branch.log in the directory with --detach",
        ),
    )

    detach: bool = field(
        default=False,
        metadata=row(
            "detach",
            Section.PROCESS,
            SWITCH,
            "Run in the background. The command returns when the branch is ready, or with its "
            "error.",
        ),
    )
    pidfile: Path | None = field(
        default=None,
        metadata=row(
            "pidfile",
            Section.PROCESS,
            PATH,
            "A file for the process id.",
            default_text="none",
        ),
    )
    uid: int | None = field(
        default=None,
        metadata=row(
            "uid",
            Section.PROCESS,
            USER,
            "The user to become once the address is bound (name or number).",
            default_text="unchanged",
        ),
    )
    gid: int | None = field(
        default=None,
        metadata=row(
            "gid",
            Section.PROCESS,
            GROUP,
            "The group to become once the address is bound (name or number).",
            default_text="the user's own",
        ),
    )
    umask: int | None = field(
        default=None,
        metadata=row(
            "umask",
            Section.PROCESS,
            UMASK,
            "The file mode mask, in octal.",
            default_text="unchanged",
        ),
    )
    workdir: Path | None = field(
        default=None,
        metadata=row(
            "workdir",
            Section.PROCESS,
            PATH,
            "The directory to change to first; relative paths of other settings start there.",
            default_text="the current one",
        ),
    )
    numc: int = field(
        default=2,
        metadata=row(
            "numc",
            Section.PROCESS,
            count(1, 1_000_000),
            "Accepted for old command lines, and shown with the branch. It was the number of "
            "controllers; one process now serves all requests at once.",
            short="C",
        ),
    )


#: The rows in their order.
TABLE = tuple(
    Setting(field=each.name, default=each.default, **each.metadata) for each in fields(Settings)
)
