# What the units may not do. .NET compiles while it runs, so memory that is written and then executed stays allowed; it also tries
# calls of @resources (affinity, memory policy), and has to be told no rather than be killed. It sizes its heap by /proc/meminfo: ProcSubset stays "all".
{
  Restart = "on-failure";
  RestartSec = "5s"; # seldom enough that systemd never gives up
  Type = "notify";

  CapabilityBoundingSet = "";
  LimitNOFILE = 65536;
  LockPersonality = true;
  MemoryDenyWriteExecute = false;
  NoNewPrivileges = true;
  PrivateDevices = true;
  PrivateMounts = true;
  PrivateTmp = true;
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHome = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectProc = "invisible";
  ProtectSystem = "strict";
  RemoveIPC = true;
  RestrictAddressFamilies = [
    "AF_UNIX"
    "AF_INET"
    "AF_INET6"
  ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  SystemCallArchitectures = "native";
  SystemCallErrorNumber = "EPERM";
  SystemCallFilter = [
    "@system-service"
    "~@privileged"
    "~@resources"
  ];
  UMask = "0077";
}
