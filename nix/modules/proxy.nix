# services.trustix-proxy: the proxy, and a Nix that asks nobody else.
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
    mkForce
    mkIf
    mkMerge
    mkOption
    optional
    types
    ;
  cfg = config.services.trustix-proxy;
  nixSettings = config.nix.settings;

  stateOfKey = "trustix-proxy-key";
  makesKey = cfg.signingKeyFile == null;
  keyFile = if makesKey then "/var/lib/${stateOfKey}/signing.key" else cfg.signingKeyFile;
  includesKey = cfg.configureNix && cfg.publicKey == null;
  hasKeyUnit = makesKey || includesKey;

  isLoopback = cfg.address == "localhost" || lib.hasPrefix "127." cfg.address || cfg.address == "[::1]";
  ownHost =
    {
      "0.0.0.0" = "127.0.0.1";
      "[::]" = "[::1]";
    }
    .${cfg.address} or cfg.address;
  ownUrl = "http://${ownHost}:${toString cfg.port}";

  configFile = import ./config-file.nix {
    inherit pkgs lib;
    inherit (cfg) package settings;
    name = "trustix-proxy.json";
  };
in
{
  options.services.trustix-proxy = {
    enable = mkEnableOption "trustix-proxy, a binary cache that serves only what several independent builders agree on";

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

    address = mkOption {
      type = types.str;
      default = "127.0.0.1";
      description = "Address for Nix clients: an IP address (IPv6 in brackets) or `localhost`.";
    };

    port = mkOption {
      type = types.port;
      default = 8080;
      description = "TCP port.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Open the port in the firewall.";
    };

    signingKeyFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "The secret signing key, outside the store; systemd passes it as a credential. When null, the first start creates one.";
    };

    publicKey = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Its public half, for `nix.conf`. When null, a file written before nix-daemon starts adds it.";
    };

    environmentFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "File of variables `TRUSTIXPROXY__KEY=value` that override the settings.";
    };

    configureNix = mkOption {
      type = types.bool;
      default = false;
      description = "Make this proxy the only substituter of this machine's Nix, and its key the only trusted key.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.port >= 1024;
        message = "services.trustix-proxy.port is ${toString cfg.port}; ports below 1024 need a privilege that the unit does not have. Take one from 1024 on, behind a web server if need be.";
      }
      {
        assertion = cfg.openFirewall -> !isLoopback;
        message = "services.trustix-proxy.openFirewall opens port ${toString cfg.port}, but the proxy listens on ${cfg.address} only. Set address to \"0.0.0.0\" or \"[::]\".";
      }
      {
        assertion = cfg.publicKey != null -> cfg.signingKeyFile != null;
        message = "services.trustix-proxy.publicKey is set without signingKeyFile: the service would make a key of its own, which Nix would not trust. Set signingKeyFile, or leave publicKey out.";
      }
      {
        assertion = cfg.publicKey != null -> builtins.match "[^: ]+:[A-Za-z0-9+/]{43}=" cfg.publicKey != null;
        message = "services.trustix-proxy.publicKey is '${toString cfg.publicKey}'; it must be name:base64, as trustix-proxy keygen prints it.";
      }
      {
        assertion = cfg.signingKeyFile != null -> !lib.hasPrefix builtins.storeDir cfg.signingKeyFile;
        message = "services.trustix-proxy.signingKeyFile is in the Nix store, where everyone may read it. Name a file outside, as text: \"/var/lib/secrets/trustix.key\".";
      }
      {
        assertion = cfg.configureNix -> lib.elem "http://${cfg.address}:${toString cfg.port}" cfg.settings.listen;
        message = "services.trustix-proxy.settings.listen lacks http://${cfg.address}:${toString cfg.port}, where configureNix would have Nix ask. Set services.trustix-proxy.address and port, and leave settings.listen out.";
      }
      {
        assertion = !cfg.settings ? signingKeyFile;
        message = "services.trustix-proxy.settings has signingKeyFile, which the service may not read. Set services.trustix-proxy.signingKeyFile.";
      }
    ];

    warnings = lib.optionals cfg.configureNix (
      import ./bypass.nix {
        inherit lib nixSettings;
        inherit (config.nix) extraOptions;
        option = "services.trustix-proxy.configureNix";
        url = ownUrl;
        publicKeys = optional (cfg.publicKey != null) cfg.publicKey;
      }
    );

    services.trustix-proxy.settings = {
      listen = mkDefault [ "http://${cfg.address}:${toString cfg.port}" ];
      stateDirectory = mkDefault "/var/lib/trustix-proxy";
    };

    environment.systemPackages = [ cfg.package ];
    networking.firewall.allowedTCPPorts = mkIf cfg.openFirewall [ cfg.port ];

    nix.settings = mkIf cfg.configureNix {
      substituters = mkForce [ ownUrl ];
      trusted-public-keys = mkForce (optional (cfg.publicKey != null) cfg.publicKey);
      # What is refused now may be agreed on in a minute; without this Nix remembers a 404 for an hour.
      narinfo-cache-negative-ttl = mkDefault 60;
      connect-timeout = mkDefault 5;
    };
    nix.extraOptions = mkIf includesKey ''
      !include /run/${stateOfKey}/nix.conf
    '';

    systemd.services = mkMerge [
      {
        trustix-proxy = {
          description = "Binary cache that serves only what several independent builders agree on";
          wantedBy = [ "multi-user.target" ];
          after = [ "network.target" ];
          before = mkIf cfg.configureNix [ "nix-daemon.service" ];
          environment = builtins.mapAttrs (_: mkDefault) config.networking.proxy.envVars // {
            DOTNET_EnableDiagnostics = "0";
            TRUSTIXPROXY__SIGNINGKEYFILE = "%d/signing.key";
          };
          serviceConfig = import ./hardening.nix // {
            ExecStart = "${lib.getExe cfg.package} serve --config ${configFile}";
            ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID"; # files that the settings name are read again; systemd's credentials stay those of the start
            DynamicUser = true;
            PrivateUsers = true;
            StateDirectory = "trustix-proxy";
            StateDirectoryMode = "0700";
            CacheDirectory = "trustix-proxy"; # for narStore.directory
            CacheDirectoryMode = "0700";
            LoadCredential = [ "signing.key:${keyFile}" ];
            EnvironmentFile = optional (cfg.environmentFile != null) cfg.environmentFile;
          };
        };
      }

      # Makes the key once, and tells Nix the public half before nix-daemon reads its configuration.
      (mkIf hasKeyUnit {
        trustix-proxy-key = {
          description = "The key of trustix-proxy, and Nix's trust in it";
          wantedBy = [ "multi-user.target" ];
          requiredBy = [ "trustix-proxy.service" ];
          before = [
            "trustix-proxy.service"
            "nix-daemon.service"
          ];
          path = [
            cfg.package
            config.nix.package
          ];
          environment.KEY = if makesKey then keyFile else "%d/signing.key";
          script = ''
            [ -e "$KEY" ] || (umask 077 && trustix-proxy keygen "$KEY" >/dev/null)
            public=$(nix --extra-experimental-features nix-command key convert-secret-to-public <"$KEY")
            printf 'trusted-public-keys = %s\n' "$public" >"$RUNTIME_DIRECTORY/nix.conf.new"
            mv "$RUNTIME_DIRECTORY/nix.conf.new" "$RUNTIME_DIRECTORY/nix.conf"
          '';
          serviceConfig = {
            Type = "oneshot";
            RemainAfterExit = true;
            RuntimeDirectory = stateOfKey;
            RuntimeDirectoryMode = "0755";
            StateDirectory = stateOfKey;
            StateDirectoryMode = "0700";
            LoadCredential = optional (!makesKey) "signing.key:${keyFile}";
            CapabilityBoundingSet = "";
            NoNewPrivileges = true;
            PrivateDevices = true;
            PrivateNetwork = true;
            PrivateTmp = true;
            ProtectHome = true;
            ProtectKernelModules = true;
            ProtectKernelTunables = true;
            ProtectSystem = "strict";
            RestrictSUIDSGID = true;
          };
        };
      })

      (mkIf includesKey {
        nix-daemon = {
          wants = [ "trustix-proxy-key.service" ];
          after = [ "trustix-proxy-key.service" ];
        };
      })
    ];
  };
}
