using System.Diagnostics;
using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Operations;

/// <summary>One line explains a refusal, in the form that whoever reads it wants.</summary>
public sealed class LogFormatTests
{
    [Fact]
    public async Task For_people_a_line_has_time_and_sentence() =>
        Assert.Matches(
            @"^\d\d:\d\d:\d\d info: TrustixProxy\[4001\] Refused [a-z0-9]{32} \(undecided\): 2 of 3 needed: "
                + @"alice=sha256:\S+, bob=absent, carol=absent$",
            await RefusalAsync());

    [Fact]
    public async Task For_systemds_journal_a_line_begins_with_its_level_and_has_no_time() =>
        Assert.Matches(@"^<6>TrustixProxy\[4001\] Refused [a-z0-9]{32} \(undecided\): 2 of 3 needed: alice=sha256:",
            await RefusalAsync(("JOURNAL_STREAM", "8:1")));

    [Fact]
    public async Task For_programs_a_line_is_json_with_each_value_by_itself()
    {
        var line = JsonDocument.Parse(await RefusalAsync(("JOURNAL_STREAM", "8:1"), ("TRUSTIXPROXY_LOG_FORMAT", "json"))).RootElement;

        var state = line.GetProperty("State");
        Assert.Equal((4001, "undecided"), (line.GetProperty("EventId").GetInt32(), state.GetProperty("Outcome").GetString()));
        Assert.StartsWith("2 of 3 needed: alice=sha256:", state.GetProperty("Sentence").GetString(), StringComparison.Ordinal);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", line.GetProperty("Timestamp").GetString());
    }

    [Fact]
    public async Task What_is_wrong_with_a_configuration_is_told_in_the_same_forms()
    {
        var json = await Cli.RunAsync(["serve", "--config", "/nowhere"], new() { ["TRUSTIXPROXY_LOG_FORMAT"] = "json" });
        var journal = await Cli.RunAsync(["serve", "--config", "/nowhere"], new() { ["JOURNAL_STREAM"] = "8:1" });

        Assert.Equal(["--config: is '/nowhere', where there is no file. Name the right one; trustix-proxy init writes one.",
            "1 fault; nothing was started."], json.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("Message").GetString()));
        Assert.StartsWith("<3>--config: is '/nowhere'", journal.Error, StringComparison.Ordinal);
    }

    /// <summary>The line with which a proxy tells of a path that one of three logs knows.</summary>
    private static async Task<string> RefusalAsync(params (string Name, string Value)[] environment)
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice");
        var start = Executable.Start("serve", "--config", stage.Config);
        foreach (var (name, value) in environment.Prepend(("TRUSTIXPROXY__LISTEN__0", "http://127.0.0.1:0"))
            .Append(("TRUSTIXPROXY__OPERATIONS__LISTEN__0", "http://127.0.0.1:0")))
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            const string serving = "serving at ";
            while (await process.StandardError.ReadLineAsync(limit.Token) is { } line)
            {
                var isJson = environment.Any(variable => variable.Value is "json");
                var text = isJson ? JsonDocument.Parse(line).RootElement.GetProperty("Message").GetString()! : line;
                if (text.StartsWith(serving, StringComparison.Ordinal))
                {
                    using var client = new HttpClient();
                    using var answer = await client.GetAsync(
                        new Uri($"{text[serving.Length..]}/{output.Path.Digest}.narinfo"), limit.Token);
                }
                else if (line.Contains("Refused", StringComparison.Ordinal))
                {
                    return line;
                }
            }

            throw new InvalidOperationException("It told of no refusal.");
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }
}
