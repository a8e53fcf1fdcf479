using System.Text.RegularExpressions;

namespace TrustixProxy.Setup;

/// <summary>The unit of a service, which may do as little as the NixOS modules' units.</summary>
internal static partial class SystemdUnit
{
    /// <summary>The first line: a unit without it is somebody else's.</summary>
    public const string Mark = "# Written by trustix-proxy install; trustix-proxy uninstall takes it away. Changes belong into a drop-in: "
        + "systemctl edit.";

    /// <summary>What the units may not do: <c>nix/modules/hardening.nix</c>, which has the reasons, as systemd writes it.</summary>
    private const string Hardening = """
        Restart=on-failure
        RestartSec=5s
        Type=notify
        CapabilityBoundingSet=
        LimitNOFILE=65536
        LockPersonality=true
        MemoryDenyWriteExecute=false
        NoNewPrivileges=true
        PrivateDevices=true
        PrivateMounts=true
        PrivateTmp=true
        ProtectClock=true
        ProtectControlGroups=true
        ProtectHome=true
        ProtectHostname=true
        ProtectKernelLogs=true
        ProtectKernelModules=true
        ProtectKernelTunables=true
        ProtectProc=invisible
        ProtectSystem=strict
        RemoveIPC=true
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
        RestrictNamespaces=true
        RestrictRealtime=true
        RestrictSUIDSGID=true
        SystemCallArchitectures=native
        SystemCallErrorNumber=EPERM
        SystemCallFilter=@system-service
        SystemCallFilter=~@privileged
        SystemCallFilter=~@resources
        UMask=0077
        """;

    /// <summary>Folders of sockets that systemd makes at each start.</summary>
    [GeneratedRegex("^/run/[^/]+$")]
    private static partial Regex Runtime { get; }

    /// <summary>Writes the unit.</summary>
    /// <param name="program">The program, by its absolute path.</param>
    /// <param name="runtime">Where .NET is, if the program needs it and would not find it; null otherwise.</param>
    public static string Of(Service service, string program, string? runtime)
    {
        string?[] lines =
        [
            Mark,
            "[Unit]",
            $"Description={service.Description}",
            "Documentation=man:trustix-proxy(1)",
            $"After=network.target{(service.IsRoot ? " nix-daemon.socket trustix-log.service" : "")}",
            "",
            "[Service]",
            $"ExecStart={program} {service.Verb} --config /etc/trustix-proxy/{service.Configuration}",
            service.Verb is "serve" ? "ExecReload=/bin/kill -HUP $MAINPID" : null,
            "Environment=DOTNET_EnableDiagnostics=0",
            runtime is null ? null : $"Environment=DOTNET_ROOT={runtime}",
            .. service.Keys.SelectMany(key => new[]
            {
                $"LoadCredential={key.Name}:/etc/trustix-proxy/{key.Name}",
                $"Environment={key.Variable}=%d/{key.Name}",
            }),
            $"EnvironmentFile=-/etc/default/{service.Unit}",
            .. service.IsRoot ? OfRoot(service) : OfUser(service),
            .. service.Places.Where(place => !Runtime.IsMatch(place)).Select(place => $"ReadWritePaths={place}"),
            .. service.Places.Where(place => Runtime.IsMatch(place)).SelectMany(place => new[]
            {
                $"RuntimeDirectory={Path.GetFileName(place)}", "RuntimeDirectoryMode=0755",
            }),
            Hardening,
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        ];
        return string.Join('\n', lines.Where(line => line is not null));
    }

    /// <summary>Who the units' users are, for systemd-sysusers.</summary>
    public static string Users(Service service) =>
        $"# Written by trustix-proxy install\nu {service.Unit} - \"{service.Description}\" {service.State}\n";

    private static string[] OfUser(Service service) =>
    [
        $"User={service.Unit}",
        $"Group={service.Unit}",
        "PrivateUsers=true",
        $"StateDirectory={service.Unit}",
        "StateDirectoryMode=0700",
        $"CacheDirectory={service.Unit}",
        "CacheDirectoryMode=0700",
        service.OwnsDirectory ? $"ReadWritePaths={service.Directory}" : $"Environment=TRUSTIXPROXY__STATEDIRECTORY={service.Directory}",
    ];

    /// <remarks>Nix, which is asked when a hook was cut short, looks for a home, and is not where systemd looks for programs.</remarks>
    private static string[] OfRoot(Service service) =>
    [
        $"ExecStartPre=+/bin/mkdir -p -m 0700 {service.Directory}",
        $"ReadWritePaths=-{service.Directory}",
        "Environment=NIX_REMOTE=daemon HOME=/var/empty",
        "Environment=PATH=/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin",
    ];
}
