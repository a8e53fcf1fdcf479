# services.trustix-proxy for Home Manager: the proxy as a service of one user. nix.conf stays root's.
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
    types
    ;
  cfg = config.services.trustix-proxy;

  configFile = import ./config-file.nix {
    inherit pkgs lib;
    inherit (cfg) package settings;
    name = "trustix-proxy.json";
  };
in
{
  options.services.trustix-proxy = {
    enable = mkEnableOption "trustix-proxy as a service of this user";

    package = mkOption {
      type = types.package;
      default = pkgs.trustix-proxy;
      defaultText = lib.literalExpression "pkgs.trustix-proxy";
      description = "Package to use.";
    };

    settings = mkOption {
      type = (pkgs.formats.json { }).type;
      default = { };
      description = "Configuration of `serve`, checked at build time. World-readable: put no secrets in it.";
    };

    port = mkOption {
      type = types.port;
      default = 8080;
      description = "TCP port on loopback.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = pkgs.stdenv.hostPlatform.isLinux;
        message = "services.trustix-proxy needs Linux and systemd. On macOS run the proxy in a container or on another machine; nix/README.md has both.";
      }
      {
        assertion = cfg.port >= 1024;
        message = "services.trustix-proxy.port is ${toString cfg.port}; ports below 1024 need a privilege that a user does not have. Take one from 1024 on.";
      }
    ];

    services.trustix-proxy.settings = {
      listen = mkDefault [ "http://127.0.0.1:${toString cfg.port}" ];
      stateDirectory = mkDefault "${config.xdg.stateHome}/trustix-proxy";
    };

    home.packages = [ cfg.package ];

    systemd.user.services.trustix-proxy = {
      Unit = {
        Description = "Binary cache that serves only what several independent builders agree on";
        After = [ "network.target" ];
      };
      Install.WantedBy = [ "default.target" ];
      # Of hardening.nix what a user's systemd can do without new name spaces.
      Service = {
        inherit (import ./hardening.nix)
          LimitNOFILE
          LockPersonality
          MemoryDenyWriteExecute
          NoNewPrivileges
          Restart
          RestartSec
          RestrictAddressFamilies
          RestrictRealtime
          RestrictSUIDSGID
          SystemCallArchitectures
          SystemCallErrorNumber
          SystemCallFilter
          Type
          UMask
          ;
        Environment = [ "DOTNET_EnableDiagnostics=0" ];
        ExecStart = "${lib.getExe cfg.package} serve --config ${configFile}";
        ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
      };
    };
  };
}
