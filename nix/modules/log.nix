# services.trustix-log: build-transparency logs of what this machine, or others, have built.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib)
    mkDefault
    mkEnableOption
    mkIf
    mkOption
    optional
    types
    ;
  cfg = config.services.trustix-log;
  names = lib.attrNames cfg.logs;
  secretOf = number: "TRUSTIXPROXY__LOGS__${toString number}__PRIVATEKEYFILE";

  configFile = import ./config-file.nix {
    inherit pkgs lib;
    inherit (cfg) package settings;
    name = "trustix-log.json";
    secrets = lib.imap0 (number: _: secretOf number) names;
  };
in
{
  options.services.trustix-log = {
    enable = mkEnableOption "the log node of trustix-proxy";

    package = mkOption {
      type = types.package;
      default = pkgs.trustix-proxy;
      defaultText = lib.literalExpression "pkgs.trustix-proxy";
      description = "Package to use.";
    };

    logs = mkOption {
      default = { };
      description = "The logs, by name.";
      type = types.attrsOf (
        types.submodule {
          options = {
            privateKeyFile = mkOption {
              type = types.str;
              description = "The log's secret key, outside the store; systemd passes it as a credential. Create it with `trustix-proxy keygen`.";
            };
            origin = mkOption {
              type = types.nullOr types.str;
              default = null;
              description = "The log's name in checkpoints, for C2SP tools and witnesses. Never change it. Without it, no checkpoints and tiles are served.";
            };
            witnesses = mkOption {
              type = types.nullOr (pkgs.formats.json { }).type;
              default = null;
              description = "Who cosigns each head: `policyFile` (a path in this configuration, or a file in the store), `interval`, `publish`. Needs `origin`. Without it, nobody does.";
            };
            writeTokens = mkOption {
              type = types.listOf types.str;
              default = [ ];
              description = "Public halves (`name:base64`) of the tokens allowed to submit.";
            };
          };
        }
      );
    };

    settings = mkOption {
      type = (pkgs.formats.json { }).type;
      default = { };
      description = "More configuration of `log serve`, checked at build time. World-readable: put no secrets in it.";
    };

    address = mkOption {
      type = types.str;
      default = "127.0.0.1";
      description = "Address of the public, read-only listener: an IP address (IPv6 in brackets) or `localhost`. Submissions stay on loopback.";
    };

    port = mkOption {
      type = types.port;
      default = 8090;
      description = "TCP port.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Open the port in the firewall.";
    };

    environmentFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "File of variables `TRUSTIXPROXY__KEY=value` that override the settings.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = names != [ ];
        message = "services.trustix-log.logs is empty. Name a log: services.trustix-log.logs.mine.privateKeyFile = \"/var/lib/secrets/mine.key\"; trustix-proxy keygen makes the key.";
      }
      {
        assertion = lib.length cfg.settings.logs == lib.length names;
        message = "services.trustix-log.settings has logs, whose keys the service may not read. Name them in services.trustix-log.logs.";
      }
      {
        assertion = cfg.port >= 1024;
        message = "services.trustix-log.port is ${toString cfg.port}; ports below 1024 need a privilege that the unit does not have. Take one from 1024 on, behind a web server if need be.";
      }
      {
        assertion = cfg.openFirewall -> cfg.address != "127.0.0.1" && cfg.address != "localhost" && cfg.address != "[::1]";
        message = "services.trustix-log.openFirewall opens port ${toString cfg.port}, but the log listens on ${cfg.address} only. Set address to \"0.0.0.0\" or \"[::]\".";
      }
    ]
    ++ map (name: {
      assertion = !lib.hasPrefix builtins.storeDir cfg.logs.${name}.privateKeyFile;
      message = "services.trustix-log.logs.${name}.privateKeyFile is in the Nix store, where everyone may read it. Name a file outside, as text: \"/var/lib/secrets/${name}.key\".";
    }) names;

    services.trustix-log.settings = {
      listen = mkDefault [ "http://${cfg.address}:${toString cfg.port}" ];
      stateDirectory = mkDefault "/var/lib/trustix-log";
      logs = map (
        name:
        {
          inherit name;
          inherit (cfg.logs.${name}) writeTokens;
        }
        // (if cfg.logs.${name}.origin == null then { } else { inherit (cfg.logs.${name}) origin; })
        // (if cfg.logs.${name}.witnesses == null then { } else { inherit (cfg.logs.${name}) witnesses; })
      ) names;
    };

    environment.systemPackages = [ cfg.package ];
    networking.firewall.allowedTCPPorts = mkIf cfg.openFirewall [ cfg.port ];

    systemd.services.trustix-log = {
      description = "Build-transparency log";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      environment = builtins.mapAttrs (_: mkDefault) config.networking.proxy.envVars // {
        DOTNET_EnableDiagnostics = "0";
      }
      // lib.listToAttrs (lib.imap0 (number: name: lib.nameValuePair (secretOf number) "%d/${name}.key") names);
      serviceConfig = import ./hardening.nix // {
        ExecStart = "${lib.getExe cfg.package} log serve --config ${configFile}";
        DynamicUser = true;
        PrivateUsers = true;
        StateDirectory = "trustix-log";
        StateDirectoryMode = "0700";
        LoadCredential = map (name: "${name}.key:${cfg.logs.${name}.privateKeyFile}") names;
        EnvironmentFile = optional (cfg.environmentFile != null) cfg.environmentFile;
      };
    };
  };
}
