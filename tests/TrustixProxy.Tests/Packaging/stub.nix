# As much of nixpkgs as our modules use: lib, the module system, and NixOS's options that they set. Stricter than the real one where it can be: an option
# that is not declared here, or a value of another type, ends the evaluation.
rec {
  lib = rec {
    inherit (builtins)
      attrNames
      concatMap
      concatStringsSep
      elem
      filter
      length
      listToAttrs
      map
      ;
    concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
    genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
    getExe = package: "${package}/bin/${package.meta.mainProgram}";
    escapeShellArg = text: "'${text}'";
    splitString = separator: text: filter builtins.isString (builtins.split separator text);
    hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
    imap0 = f: list: builtins.genList (i: f i (builtins.elemAt list i)) (length list);
    importJSON = path: builtins.fromJSON (builtins.readFile path);
    literalExpression = text: { inherit text; };
    nameValuePair = name: value: { inherit name value; };
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: values: if condition then values else [ ];
    toList = value: if builtins.isList value then value else [ value ];

    mkOption = attributes: attributes // { _type = "option"; };
    mkEnableOption = what: mkOption { type = types.bool; default = false; description = "Whether to run ${what}."; };
    mkIf = condition: content: { _type = "if"; inherit condition content; };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    mkOverride = priority: content: { _type = "override"; inherit priority content; };
    mkForce = mkOverride 50;
    mkDefault = mkOverride 1000;

    types = rec {
      single = name: check: {
        inherit name;
        merge = path: values:
          let value = builtins.head values; in
          if builtins.any (other: other != value) values then throw "${path} has conflicting values"
          else if check value then value else throw "${path} is no ${name}";
      };
      str = single "text" builtins.isString;
      bool = single "true or false" builtins.isBool;
      int = single "whole number" builtins.isInt;
      port = single "port" (value: builtins.isInt value && value >= 0 && value <= 65535);
      package = single "package" (value: builtins.isAttrs value && value ? outPath);
      anything = { name = "anything"; merge = path: builtins.head; };
      lines = { name = "lines"; merge = path: builtins.concatStringsSep "\n"; };
      nullOr = type: {
        name = "null or ${type.name}";
        merge = path: values: if builtins.all (value: value == null) values then null else type.merge path values;
      };
      listOf = type: {
        name = "list of ${type.name}";
        merge = path: values:
          if builtins.all builtins.isList values then imap0 (i: value: mergeDefinitions "${path}.${toString i}" type [ value ]) (builtins.concatLists values)
          else throw "${path} is no list";
      };
      attrsOf = type: {
        name = "attributes of ${type.name}";
        inner = type.getSubOptions or { };
        merge = path: values:
          let
            pushed = concatMap pushDown values;
            definitions = name: concatMap (value: if value ? ${name} then [ value.${name} ] else [ ]) pushed;
            names = filter (name: concatMap (discharge 100) (definitions name) != [ ]) (attrNames (builtins.foldl' (a: b: a // b) { } pushed));
          in
          if builtins.all builtins.isAttrs values then genAttrs names (name: mergeDefinitions "${path}.${name}" type (definitions name))
          else throw "${path} is no set of attributes";
      };
      json = {
        name = "JSON";
        merge = path: values:
          if builtins.all builtins.isAttrs values then (attrsOf json).merge path values
          else if builtins.all builtins.isList values then (listOf json).merge path values
          else (single "JSON value" (value: !builtins.isFunction value)).merge path values;
      };
      submodule = { options }: {
        name = "submodule";
        getSubOptions = options;
        merge = path: values: evaluate path options values;
      };
    };
  };

  # A definition under mkIf or mkMerge as definitions of its attributes, whose conditions nobody has looked at yet.
  pushDown = value:
    let type = if builtins.isAttrs value then value._type or "" else ""; in
    if type == "if" then map (builtins.mapAttrs (_: content: lib.mkIf value.condition content)) (pushDown value.content)
    else if type == "merge" then builtins.concatMap pushDown value.contents
    else [ value ];

  # A definition's values, with their priorities.
  discharge = priority: value:
    let type = if builtins.isAttrs value then value._type or "" else ""; in
    if type == "if" then (if value.condition then discharge priority value.content else [ ])
    else if type == "merge" then builtins.concatMap (discharge priority) value.contents
    else if type == "override" then discharge value.priority value.content
    else [ { inherit priority value; } ];

  mergeDefinitions = path: type: definitions:
    let
      all = builtins.concatMap (discharge 100) definitions;
      first = builtins.foldl' (least: one: if one.priority < least then one.priority else least) 10000 all;
    in
    type.merge path (map (one: one.value) (builtins.filter (one: one.priority == first) all));

  evaluate = path: options: definitions:
    let
      pushed = builtins.concatMap pushDown definitions;
      unknown = builtins.filter (name: !(options ? ${name})) (builtins.concatMap builtins.attrNames pushed);
      below = name: builtins.concatMap (value: if value ? ${name} then [ value.${name} ] else [ ]) pushed;
      one = name: option:
        let here = "${path}.${name}"; defined = below name; in
        if (option._type or "") != "option" then evaluate here option defined
        else if builtins.concatMap (discharge 100) defined != [ ] then mergeDefinitions here option.type defined
        else if option ? default then option.default
        else throw "${here} is used but not defined";
    in
    if unknown != [ ] then throw "${path} has no option ${builtins.head unknown}" else builtins.mapAttrs one options;

  recursiveUpdate = a: b:
    a // builtins.mapAttrs (name: value: if a ? ${name} && builtins.isAttrs value && !(value ? _type) then recursiveUpdate a.${name} value else value) b;

  # base: the options of the system that the modules are for.
  evalModules = base: modules:
    let
      arguments = { inherit lib pkgs config; };
      load = module:
        let
          body = if builtins.isFunction module then module arguments else if builtins.isPath module then load (import module) else module;
          own = if body ? config || body ? options then { options = body.options or { }; config = body.config or { }; } else { options = { }; config = removeAttrs body [ "imports" ]; };
        in
        if builtins.isList body then body else builtins.concatMap load (body.imports or [ ]) ++ [ own ];
      loaded = builtins.concatMap load ([ base ] ++ modules);
      options = builtins.foldl' recursiveUpdate { } (map (module: module.options) loaded);
      config = evaluate "config" options (map (module: module.config) loaded);
    in
    { inherit options config; };

  # What our modules set of NixOS, with its own values where they matter.
  nixos =
    let inherit (lib) mkOption types; list = type: mkOption { type = types.listOf type; default = [ ]; }; in
    {
      options = {
        assertions = list types.anything;
        warnings = list types.str;
        environment.systemPackages = list types.package;
        environment.etc = mkOption { type = types.attrsOf types.anything; default = { }; };
        networking.firewall.allowedTCPPorts = list types.port;
        networking.proxy.envVars = mkOption { type = types.attrsOf types.str; default = { }; };
        nix.enable = mkOption { type = types.bool; default = true; };
        nix.package = mkOption { type = types.package; default = { outPath = "/nix-package"; }; };
        nix.settings = mkOption { type = types.json; default = { }; };
        nix.extraOptions = mkOption { type = types.lines; default = ""; };
        services.nginx = mkOption { type = types.anything; default = { }; };
        services.redis = mkOption { type = types.anything; default = { }; };
        systemd.tmpfiles.rules = list types.str;
        systemd.services = mkOption {
          default = { };
          type = types.attrsOf (types.submodule {
            options = lib.genAttrs [ "wantedBy" "requiredBy" "wants" "before" "after" ] (_: list types.str) // {
              description = mkOption { type = types.str; default = ""; };
              path = list types.package;
              environment = mkOption { type = types.attrsOf types.str; default = { }; };
              script = mkOption { type = types.str; default = ""; };
              serviceConfig = mkOption { type = types.json; default = { }; };
            };
          });
        };
      };
      config.nix.settings = {
        substituters = [ "https://cache.nixos.org/" ];
        trusted-public-keys = [ "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=" ];
        trusted-users = [ "root" ];
      };
    };

  # What our module for Macs sets of nix-darwin.
  darwin = {
    options = {
      inherit (nixos.options) assertions warnings;
      nix = { inherit (nixos.options.nix) enable settings extraOptions; };
    };
    config.nix.settings = nixos.config.nix.settings;
  };

  # What our module for one user sets of Home Manager.
  home =
    let inherit (lib) mkOption types; in
    {
      options = {
        inherit (nixos.options) assertions warnings;
        home.packages = mkOption { type = types.listOf types.package; default = [ ]; };
        xdg.stateHome = mkOption { type = types.str; default = "/home/user/.local/state"; };
        systemd.user.services = mkOption { type = types.attrsOf types.json; default = { }; };
      };
    };

  pkgs = {
    inherit lib;
    stdenv.hostPlatform = { isLinux = true; system = "x86_64-linux"; };
    trustix-proxy = { outPath = "/package"; meta.mainProgram = "trustix-proxy"; };
    coreutils = { outPath = "/coreutils"; };
    curl = { outPath = "/curl"; };
    formats.json = { }: { type = lib.types.json; };
    writeText = name: text: { outPath = "/text/${name}"; };
    writeShellScript = name: text: { outPath = text; };
    testers.nixosTest = test: test;
    # Nothing is built here: the place of the result says what would be done, for the tests to do.
    runCommand = name: environment: script: { outPath = "«${builtins.toJSON { inherit name script; inherit (environment) value; }}»"; };
  };

  # What a test asks of a machine that has these modules.
  machine = modules:
    let config = (evalModules nixos modules).config; in
    {
      failed = map (one: one.message) (builtins.filter (one: !one.assertion) config.assertions);
      inherit (config) warnings nix systemd;
      ports = config.networking.firewall.allowedTCPPorts;
    };

  mac = modules:
    let config = (evalModules darwin modules).config; in
    {
      failed = map (one: one.message) (builtins.filter (one: !one.assertion) config.assertions);
      inherit (config) warnings nix;
    };

  # A user's units in the form of a machine's.
  user = modules:
    let
      config = (evalModules home modules).config;
      variable = text: let words = lib.splitString "=" text; in lib.nameValuePair (builtins.head words) (builtins.elemAt words 1);
    in
    {
      failed = map (one: one.message) (builtins.filter (one: !one.assertion) config.assertions);
      inherit (config) warnings;
      systemd.services = builtins.mapAttrs (_: unit: {
        wantedBy = unit.Install.WantedBy;
        environment = lib.listToAttrs (map variable unit.Service.Environment);
        serviceConfig = removeAttrs unit.Service [ "Environment" ] // { LoadCredential = [ ]; };
      }) config.systemd.user.services;
    };

  # The options of modules, as rows of Markdown.
  table = tableOf nixos;
  homeTable = tableOf home;
  tableOf = base: modules:
    let
      walk = path: options: builtins.concatLists (builtins.attrValues (builtins.mapAttrs (name: option: let here = "${path}.${name}"; in if (option._type or "") == "option" then row here option else walk here option) options));
      row = path: option:
        [ "| `${path}` | ${option.type.name} | ${held option} | ${option.description} |" ]
        ++ (if option.type.name == "attributes of submodule" then walk "${path}.<name>" option.type.inner else [ ]);
      held = option: if option ? defaultText then "`${option.defaultText.text}`" else if option ? default then "`${builtins.toJSON option.default}`" else "required";
      options = (evalModules base modules).options.services;
      ours = builtins.filter (lib.hasPrefix "trustix-") (builtins.attrNames options);
    in
    walk "services" (lib.genAttrs ours (name: options.${name}));
}
