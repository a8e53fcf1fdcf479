using System.Text.Json;
using Microsoft.Extensions.Configuration;
using TrustixProxy.Configuration;

namespace TrustixProxy.Tests;

/// <summary>Every key of the four configurations, with values that nobody means.</summary>
public sealed class SillyConfigurationTests
{
    /// <summary>Refused at every key, whatever its type.</summary>
    private static readonly string[] AlwaysRefused = ["""{ "a": { "b": 1 } }""", "\"\\u0001x\"", "[[1], { \"a\": 1 }]"];

    private static readonly string[] Silly =
    [
        "null", "true", "0", "-1", "1e999", "99999999999999999999", "{}", "[]", "[null]", "[{}]", "[[]]", "[1, 2]", "[\"\"]",
            "[\"\\u0000\"]", "[\"x\", \"x\"]",
        "\"\"", "\" \"", "\"\\n\"", "\"\\u0000\"", "\"x\"", "\"\u0661\"", "\"-00:00:01\"", "\"99999999:00:00\"", "\"NaN\"", "\"KiB\"",
            "\"%\"", "\"*\"", "\"[\"",
        "\"http://\"", "\"http://[\"", "\"http://a:99999\"", "\"http://a:0\"", "\"http://@\"", "\"http://a/?#\"", "\"unix:\"",
            "\"unix:/\"", "\"unix:/%00\"", "\"file:///\"", "\"file:///%00\"",
        "\"/\"", "\"/dev/null\"", "\"/dev/zero\"", "\"/proc/self/mem\"", "\"../..\"", "\"sha256:\"", "\"cache:\"", "\":\"", "\"a:b,c=d\"",
            "\"a:99999\"", "\"2027-13-45\"", "\"\\ud83d\\ude00\"",
    ];

    public static TheoryData<string, string> Keys
    {
        get
        {
            var keys = new TheoryData<string, string>();
            foreach (var verb in new[] { "serve", "log serve", "publish", "rebuild" })
            {
                KeysOf(verb).ForEach(key => keys.Add(verb, key));
            }

            return keys;
        }
    }

    [Theory]
    [MemberData(nameof(Keys))]
    public void No_value_of_any_key_is_an_unhandled_exception_and_a_refusal_names_the_key(string verb, string key)
    {
        using var folder = new Folder();
        var name = key.Replace("[]", "[0]", StringComparison.Ordinal);
        foreach (var value in AlwaysRefused)
        {
            var faults = Read(verb, folder, key, value);
            Assert.True(faults.Any(fault => fault.Key.StartsWith(name, StringComparison.Ordinal)),
                $"{verb}: {name} with {value}: {string.Join("; ", faults)}");
        }

        foreach (var value in Silly.Append($"\"{new string('x', 100_000)}\""))
        {
            Read(verb, folder, key, value); // whatever it says, it says it
        }
    }

    private static IReadOnlyList<Fault> Read(string verb, Folder folder, string key, string value)
    {
        var json = Nest(key.Split('.'), value);
        var file = folder.File("config.json", key is "stateDirectory" || verb is "publish" or "rebuild" ? $"{{ {json} }}" : $$"""{ "stateDirectory": {{JsonSerializer.Serialize(folder.Path)}}, {{json}} }""");
        return ConfigurationFile.Read(file, section => ReadAll(verb, section)).Faults;
    }

    private static string Nest(ReadOnlySpan<string> parts, string value)
    {
        var inner = parts.Length is 1 ? value : $"{{ {Nest(parts[1..], value)} }}";
        return parts[0].EndsWith("[]", StringComparison.Ordinal) ? $"\"{parts[0][..^2]}\": [{inner}]" : $"\"{parts[0]}\": {inner}";
    }

    private static List<string> KeysOf(string verb)
    {
        var keys = new List<ConfigurationKey>();
        ReadAll(verb, new Section(new ConfigurationBuilder().Build(), [], described: keys));
        return [.. keys.Select(key => key.Path)];
    }

    private static object? ReadAll(string verb, Section section) => verb switch
    {
        "serve" => ServeConfiguration.Read(section, isCheck: true),
        "rebuild" => RebuildConfiguration.Read(section, isCheck: true),
        "log serve" => LogServeConfiguration.Read(section, isCheck: true),
        _ => PublishConfiguration.Read(section, isCheck: true),
    };
}
