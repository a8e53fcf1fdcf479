using System.Text.Json.Nodes;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Terminal;

namespace TrustixProxy.Setup;

/// <summary>The files of a preset, in their directory: configurations that the readers accept, and keys.</summary>
internal sealed class PresetFiles(SetupAnswers answers)
{
    private readonly List<string> _madeKeys = [];

    /// <summary>The configuration of <c>serve</c>.</summary>
    public string Proxy => PathOf("trustix-proxy.json");

    /// <summary>The configuration of <c>log serve</c>.</summary>
    public string Log => PathOf("trustix-log.json");

    /// <summary>The configuration of <c>publish</c>.</summary>
    public string Publish => PathOf("trustix-publish.json");

    /// <summary>What clients trust, or null for a builder.</summary>
    public NixPublicKey? SigningKey { get; private set; }

    /// <summary>What clients of GNU Guix authorize; null for other presets.</summary>
    public GuixPublicKey? GuixKey { get; private set; }

    /// <summary>A builder's log, as others name it; null for a proxy.</summary>
    public Voter? OwnLog { get; private set; }

    /// <summary>Who may write to it; null for a proxy.</summary>
    public NixPublicKey? WriteToken { get; private set; }

    /// <summary>The configurations of the preset.</summary>
    public IReadOnlyList<string> Configurations => answers.Preset is Preset.Builder ? [Log, Publish] : [Proxy];

    /// <summary>Writes them all, or none when one would be faulty. A key that is there is used, and never written over.</summary>
    /// <param name="overwrite">Whether configurations may be written over.</param>
    /// <returns>What is wrong; empty when they have been written.</returns>
    /// <exception cref="IOException">A configuration is there already, or cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory may not be written to.</exception>
    public IReadOnlyList<Fault> Write(bool overwrite)
    {
        Directory.CreateDirectory(answers.Directory);
        if (!overwrite && Configurations.FirstOrDefault(File.Exists) is { } there)
        {
            throw new IOException($"{there} already exists; --force overwrites it (but no keys), --directory chooses another place.");
        }

        var faults = answers.Preset is Preset.Builder ? WriteBuilder(overwrite) : WriteProxy(overwrite);
        if (faults.Count > 0)
        {
            _madeKeys.ForEach(File.Delete);
        }

        return faults;
    }

    private List<Fault> WriteProxy(bool overwrite)
    {
        var key = Key("signing.key", $"{HostName.Own}-trustix-1");
        SigningKey = key.PublicKey;
        if (answers.Preset is Preset.Farms)
        {
            GuixKey = GuixSecretKey.Of(key).PublicKey;
            return Judge(Farms(), overwrite);
        }

        var configuration = new JsonObject
        {
            ["listen"] = Texts($"http://{(answers.Preset is Preset.Organisation ? "0.0.0.0" : "127.0.0.1")}:{answers.Port}"),
            ["signingKeyFile"] = PathOf("signing.key"),
            ["upstreams"] = new JsonArray(new JsonObject { ["name"] = answers.Cache.Name, ["url"] = answers.Cache.Url }),
            ["logs"] = new JsonArray(
                [.. answers.Logs.Select(log => new JsonObject { ["name"] = log.Name, ["url"] = log.Url, ["publicKey"] = log.Key })]),
        };
        if (answers.Preset is Preset.Watch or Preset.Organisation or Preset.SecondVoice)
        {
            configuration["caches"] = new JsonArray([Cache(answers.Cache), .. answers.Rebuilders.Select(Rebuilder)]);
        }

        if (answers.Preset is Preset.SecondVoice)
        {
            (configuration["mode"], configuration["fallback"]) = ("report", answers.Cache.Name);
        }

        configuration["policy"] = Policy();
        return Judge(configuration, overwrite);
    }

    private List<Fault> Judge(JsonObject configuration, bool overwrite)
    {
        if (answers.OperationsPort is not Ports.Operations)
        {
            configuration["operations"] = new JsonObject { ["listen"] = Texts($"http://127.0.0.1:{answers.OperationsPort}") };
        }

        return Write([(Proxy, configuration, path =>
            ConfigurationFile.Read(path, section => ServeConfiguration.Read(section, isCheck: true)).Faults)], overwrite);
    }

    private JsonObject Farms()
    {
        var configuration = new JsonObject
        {
            ["store"] = Store.Guix.Directory,
            ["listen"] = Texts($"http://127.0.0.1:{answers.Port}"),
            ["signingKeyFile"] = PathOf("signing.key"),
            ["upstreams"] = new JsonArray(
                [.. Voter.Farms.Select(farm => new JsonObject { ["name"] = farm.Name, ["url"] = farm.Url })]),
            ["logs"] = new JsonArray(
                [.. answers.Logs.Select(log => new JsonObject { ["name"] = log.Name, ["url"] = log.Url, ["publicKey"] = log.Key })]),
            ["caches"] = new JsonArray([.. Voter.Farms.Select(Cache)]),
            ["policy"] = new JsonObject { ["quorum"] = answers.Quorum ?? Voter.Farms.Count },
        };
        if (answers.Reports)
        {
            (configuration["mode"], configuration["fallback"]) = ("report", Voter.Farms[0].Name);
        }

        return configuration;
    }

    private static JsonObject Cache(Voter cache) =>
        new() { ["name"] = cache.Name, ["url"] = cache.Url, ["publicKeys"] = Texts(cache.Key) };

    private static JsonObject Rebuilder(Voter rebuilder)
    {
        var elector = Cache(rebuilder);
        elector["protocol"] = "lila";
        return elector;
    }

    private JsonObject Policy() => answers.Preset switch
    {
        Preset.Watch => new JsonObject { ["rule"] = Rule(1, answers.Cache.Name), ["dissent"] = "veto" },
        Preset.Organisation => new JsonObject { ["quorum"] = Quorum(answers.Logs.Count + 1), ["closure"] = true },
        Preset.SecondVoice => new JsonObject
        {
            ["rule"] = Rule(2, answers.Cache.Name,
                Rule(Quorum(answers.Rebuilders.Count), [.. answers.Rebuilders.Select(rebuilder => (JsonNode)rebuilder.Name)])),
        },
        Preset.Sources => new JsonObject { ["contentAddressed"] = true },
        _ => new JsonObject { ["quorum"] = Quorum(answers.Logs.Count) },
    };

    private static JsonObject Rule(int quorum, params JsonNode[] members) => new() { ["quorum"] = quorum, ["of"] = new JsonArray(members) };

    private int Quorum(int voters) => answers.Quorum ?? Consensus.Rule.Majority(voters);

    private List<Fault> WriteBuilder(bool overwrite)
    {
        var (log, token) = (Key("log.key", answers.Name), Key("token.key", $"{answers.Name}-builder"));
        WriteToken = token.PublicKey;
        OwnLog = new Voter(answers.Name, answers.Url ?? $"http://{HostName.Own}:{answers.Port}",
            Convert.ToBase64String(log.PublicKey.Bytes));
        var node = new JsonObject
        {
            ["listen"] = Texts($"http://0.0.0.0:{answers.Port}"),
            ["logs"] = new JsonArray(new JsonObject
            {
                ["name"] = answers.Name,
                ["privateKeyFile"] = PathOf("log.key"),
                ["writeTokens"] = Texts($"{WriteToken}")
            }),
        };
        var publisher = new JsonObject
        {
            [
            "log"] = new JsonObject { ["url"] = "http://127.0.0.1:8091", ["tokenFile"] = PathOf("token.key"), ["name"] = answers.Name }
        };
        return Write(
            [
                (Log, node, path => ConfigurationFile.Read(path, section => LogServeConfiguration.Read(section, isCheck: true)).Faults),
                (Publish, publisher, path =>
                    ConfigurationFile.Read(path, section => PublishConfiguration.Read(section, isCheck: true)).Faults),
            ],
            overwrite);
    }

    /// <summary>Writes configurations beside their places, has their readers judge them, and puts them there when all are good.</summary>
    private static List<Fault> Write(
        IReadOnlyList<(string Path, JsonObject Content, Func<string, IReadOnlyList<Fault>> Judge)> files, bool overwrite)
    {
        var faults = new List<Fault>();
        foreach (var (path, content, judge) in files)
        {
            File.WriteAllText($"{path}.new", content.ToJsonString(VerbJson.Indented.Options) + "\n");
            faults.AddRange(judge($"{path}.new"));
        }

        foreach (var (path, _, _) in files)
        {
            if (faults.Count > 0)
            {
                File.Delete($"{path}.new");
            }
            else
            {
                File.Move($"{path}.new", path, overwrite);
            }
        }

        return faults;
    }

    private NixSecretKey Key(string file, string name)
    {
        var path = PathOf(file);
        if (!File.Exists(path))
        {
            var made = NixSecretKey.Generate(name);
            KeyFile.Write(path, made);
            _madeKeys.Add(path);
            return made;
        }

        return KeyFile.TryReadPrivate(path, allowBare: false, out var key, out var fault) ? key : throw new IOException($"{file} {fault}");
    }

    private static JsonArray Texts(params string[] texts) => new([.. texts.Select(text => JsonValue.Create(text))]);

    private string PathOf(string file) => Path.Combine(answers.Directory, file);
}
