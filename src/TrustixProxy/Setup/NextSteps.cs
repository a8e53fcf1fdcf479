namespace TrustixProxy.Setup;

/// <summary>What is left to do after <c>init</c>, as text.</summary>
internal static class NextSteps
{
    public static string OfProxy(SetupAnswers answers, PresetFiles files)
    {
        var isForOthers = answers.Preset is Preset.Organisation;
        var reports = answers.Preset is Preset.SecondVoice;
        var besides = reports ? $"\n  nix.settings.trusted-public-keys = lib.mkForce [ \"{answers.Cache.Key}\" ]; # while it reports" : "";
        return $$"""

            Run it:
              trustix-proxy serve --config {{files.Proxy}}

            {{(isForOthers ? "nix.conf of the machines that ask it" : "nix.conf")}}, with no other substituter or key, or the vote is bypassed:
              substituters = {{(isForOthers ? answers.Url ?? $"http://{Environment.MachineName.ToLowerInvariant()}:8080" : "http://127.0.0.1:8080")}}
              trusted-public-keys = {{files.SigningKey}}{{(reports ? $" {answers.Cache.Key}" : "")}}
            {{(reports ? Report : "")}}
            NixOS, instead of both, with trustix-proxy.json copied beside your configuration:
              services.trustix-proxy = {
                enable = true;
                configureNix = true;{{(isForOthers ? "\n    address = \"0.0.0.0\";\n    openFirewall = true;" : "")}}
                signingKeyFile = "{{Path.Combine(answers.Directory, "signing.key")}}";
                publicKey = "{{files.SigningKey}}";
                settings = removeAttrs (lib.importJSON ./trustix-proxy.json) [ "listen" "signingKeyFile" ];
              };{{besides}}
            """;
    }

    private const string Report = """

        The proxy reports at first: it serves what the cache has signed, and records what it would refuse. Look at that with:
          trustix-proxy doctor
          trustix-proxy wanted
        Then remove "mode" and "fallback" from the configuration, and the cache's key from Nix.

        """;

    public static string OfBuilder(PresetFiles files, Voter log) => $$"""
        others add: {{log}}

        Run it, and tell Nix's hook where it is (nix.conf: post-build-hook = /etc/nix/post-build-hook):
          trustix-proxy log serve --config {{files.Log}}
          trustix-proxy publish --config {{files.Publish}}

        NixOS, instead of all that:
          services.trustix-log = {
            enable = true;
            address = "0.0.0.0";
            openFirewall = true;
            logs.{{log.Name}} = {
              privateKeyFile = "{{Path.Combine(Path.GetDirectoryName(files.Log)!, "log.key")}}";
              writeTokens = [ "{{files.WriteToken}}" ];
            };
          };
          services.trustix-publisher = {
            enable = true;
            tokenFile = "{{Path.Combine(Path.GetDirectoryName(files.Log)!, "token.key")}}";
          };
        """;
}
