# services.trustix-publisher: tells a log what this machine's Nix has built. The hook leaves jobs in a spool, the service gives them to the log.
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
  cfg = config.services.trustix-publisher;
  secret = "TRUSTIXPROXY__LOG__TOKENFILE";

  configFile = import ./config-file.nix {
    inherit pkgs lib;
    inherit (cfg) package settings;
    name = "trustix-publish.json";
    secrets = [ secret ];
  };

  # Nix runs it without arguments, and with the environment of whoever builds: nix-daemon's, or that of root, who asks no daemon.
  hook = pkgs.writeShellScript "trustix-post-build-hook" ''
    export TRUSTIX_SPOOL=${lib.escapeShellArg cfg.spoolDirectory}
    exec ${cfg.package}/libexec/trustix-proxy/post-build-hook
  '';
in
{
  options.services.trustix-publisher = {
    enable = mkEnableOption "publishing to a log what this machine's Nix builds";

    package = mkOption {
      type = types.package;
      default = pkgs.trustix-proxy;
      defaultText = lib.literalExpression "pkgs.trustix-proxy";
      description = "Package to use; it also contains the hook.";
    };

    url = mkOption {
      type = types.str;
      default = "http://127.0.0.1:8091";
      description = "The log node's private listener: `http(s)://host:port` or `unix:/path`.";
    };

    log = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Name of the log, if the node has several.";
    };

    tokenFile = mkOption {
      type = types.str;
      description = "The write token, outside the store; systemd passes it as a credential. Create it with `trustix-proxy keygen`.";
    };

    settings = mkOption {
      type = (pkgs.formats.json { }).type;
      default = { };
      description = "More configuration of `publish`: `include`, `exclude`, `listen`. Checked at build time.";
    };

    spoolDirectory = mkOption {
      type = types.str;
      default = "/var/spool/trustix";
      description = "Directory where the hook leaves its jobs.";
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
        assertion = !lib.hasPrefix builtins.storeDir cfg.tokenFile;
        message = "services.trustix-publisher.tokenFile is in the Nix store, where everyone may read it. Name a file outside, as text: \"/var/lib/secrets/token.key\".";
      }
      {
        assertion = lib.hasPrefix "/" cfg.spoolDirectory;
        message = "services.trustix-publisher.spoolDirectory is '${cfg.spoolDirectory}'; it must be an absolute path, as the hook runs in no directory of its own.";
      }
      {
        assertion = config.nix.settings.post-build-hook or null != null;
        message = "services.trustix-publisher: nix.settings.post-build-hook is null, so nothing would ever be published.";
      }
    ];

    services.trustix-publisher.settings = {
      spoolDirectory = cfg.spoolDirectory;
      log = {
        url = mkDefault cfg.url;
        name = mkIf (cfg.log != null) cfg.log;
      };
    };

    nix.settings.post-build-hook = "${hook}";
    systemd.tmpfiles.rules = [ "d ${cfg.spoolDirectory} 0700 root root -" ];

    systemd.services.trustix-publisher = {
      description = "Publishes what Nix has built to a build-transparency log";
      wantedBy = [ "multi-user.target" ];
      after = [
        "network.target"
        "nix-daemon.socket"
        "trustix-log.service"
      ];
      path = [ config.nix.package ];
      environment = builtins.mapAttrs (_: mkDefault) config.networking.proxy.envVars // {
        DOTNET_EnableDiagnostics = "0";
        NIX_REMOTE = "daemon";
        HOME = "/var/empty"; # Nix, which is asked when a hook was cut short, looks there
        "${secret}" = "%d/token";
      };
      # As the hook: root, whose the spool's files are; but with none of root's privileges.
      serviceConfig = import ./hardening.nix // {
        ExecStart = "${lib.getExe cfg.package} publish --config ${configFile}";
        ReadWritePaths = [ cfg.spoolDirectory ];
        LoadCredential = [ "token:${cfg.tokenFile}" ];
        EnvironmentFile = optional (cfg.environmentFile != null) cfg.environmentFile;
      };
    };
  };
}
