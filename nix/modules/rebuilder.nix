# services.trustix-rebuilder: builds in a store of its own what proxies could not decide on. What came out lies in the publisher's spool.
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
  cfg = config.services.trustix-rebuilder;

  configFile = import ./config-file.nix {
    inherit pkgs lib;
    inherit (cfg) package;
    name = "trustix-rebuild.json";
    settings.rebuilder = cfg.settings;
  };
in
{
  options.services.trustix-rebuilder = {
    enable = mkEnableOption "a rebuilder, which builds what proxies could not decide on";

    package = mkOption {
      type = types.package;
      default = pkgs.trustix-proxy;
      defaultText = lib.literalExpression "pkgs.trustix-proxy";
      description = "Package to use.";
    };

    wanted = mkOption {
      type = types.listOf types.str;
      default = [ "http://127.0.0.1:8081" ];
      description = "Operations listeners of proxies whose work lists it rebuilds.";
    };

    wantedTokenFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "The bearer token of those lists, outside the store; systemd passes it as a credential.";
    };

    spoolDirectory = mkOption {
      type = types.str;
      default = "/var/spool/trustix";
      description = "The spool that `services.trustix-publisher` submits from.";
    };

    settings = mkOption {
      type = (pkgs.formats.json { }).type;
      default = { };
      description = "More keys of `rebuilder`: `expressions`, `publicKeys`, `inputs`, `jobs`, `disk`. Checked at build time.";
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
        assertion = cfg.wantedTokenFile == null || !lib.hasPrefix builtins.storeDir cfg.wantedTokenFile;
        message = "services.trustix-rebuilder.wantedTokenFile is in the Nix store, where everyone may read it. Name a file outside, as text: \"/var/lib/secrets/wanted\".";
      }
      {
        assertion = lib.hasPrefix "/" cfg.spoolDirectory;
        message = "services.trustix-rebuilder.spoolDirectory is '${cfg.spoolDirectory}'; it must be an absolute path.";
      }
    ];

    services.trustix-rebuilder.settings = {
      wanted = mkDefault cfg.wanted;
      spoolDirectory = cfg.spoolDirectory;
      store = mkDefault "/var/lib/trustix-rebuilder";
    };

    systemd.tmpfiles.rules = [ "d ${cfg.spoolDirectory} 0700 root root -" ];

    systemd.services.trustix-rebuilder = {
      description = "Builds what build-transparency proxies could not decide on";
      wantedBy = [ "multi-user.target" ];
      after = [
        "network.target"
        "nix-daemon.socket"
        "trustix-proxy.service"
      ];
      path = [ config.nix.package ];
      environment = builtins.mapAttrs (_: mkDefault) config.networking.proxy.envVars // {
        DOTNET_EnableDiagnostics = "0";
        NIX_REMOTE = "daemon"; # for derivations of this machine's store; builds ask no daemon
      }
      // (if cfg.wantedTokenFile == null then { } else { TRUSTIXPROXY__REBUILDER__WANTEDTOKENFILE = "%d/wanted"; });
      # Root, so that builders run as Nix's build users, in namespaces that Nix makes. A token is a credential, which no builder sees.
      serviceConfig = {
        ExecStart = "${lib.getExe cfg.package} rebuild --config ${configFile}";
        Type = "notify";
        Restart = "on-failure";
        RestartSec = "5s";
        StateDirectory = "trustix-rebuilder";
        StateDirectoryMode = "0700";
        ReadWritePaths = [ cfg.spoolDirectory ];
        ProtectSystem = "strict";
        ProtectHome = true;
        PrivateTmp = true;
        NoNewPrivileges = true;
        RestrictSUIDSGID = true;
        LockPersonality = false; # builds for a 32-bit system set it
        UMask = "0022"; # of what is built; records and token are 0600
        Nice = 10;
        EnvironmentFile = optional (cfg.environmentFile != null) cfg.environmentFile;
        LoadCredential = optional (cfg.wantedTokenFile != null) "wanted:${cfg.wantedTokenFile}";
      };
    };
  };
}
