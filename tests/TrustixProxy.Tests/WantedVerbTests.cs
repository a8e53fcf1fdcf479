using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Tests;

/// <summary>The work list of the program as a process: kept over a kill, shown by <c>wanted</c>, guarded by a token.</summary>
public sealed class WantedVerbTests
{
    [Fact]
    public async Task A_killed_proxy_has_its_list_again_and_a_damaged_snapshot_is_an_empty_list_and_a_warning()
    {
        var (one, tie) = (TestOutput.Make("one"), TestOutput.Make("tie"));
        await using var stage = await Stage.StartAsync();
        stage.Publish(one, "alice");
        stage.Publish(tie, "alice");
        stage.Proxy.Log("bob").Publish(tie.Forge().Statement);
        Configure(stage, operations => operations["listen"] = new JsonArray());
        var snapshot = Path.Combine(stage.Folder.Path, "state", "wanted");

        using (var proxy = await ServeAsync(stage))
        {
            await proxy.AskAsync(one); // the next snapshot would come a minute later
            await UntilAsync(() => File.Exists(snapshot));
            proxy.Kill();
        }

        Assert.Contains("needs a second opinion; asked for by 1 client; no vote of bob, carol", (await WantedAsync(stage)).Output,
            StringComparison.Ordinal); // from the snapshot
        using (var proxy = await ServeAsync(stage))
        {
            await proxy.AskAsync(tie);
            using var json = JsonDocument.Parse((await WantedAsync(stage, "--json")).Output);
            Assert.Equal(["tie-break", "second-opinion"], json.RootElement.GetProperty("wanted").EnumerateArray()
                .OrderBy(entry => entry.GetProperty("storePath").GetString() == one.Path.Absolute)
                .Select(entry => entry.GetProperty("reason").GetString()));
            proxy.Kill();
        }

        await File.WriteAllTextAsync(snapshot, "{}");
        var unreadable = await WantedAsync(stage);
        Assert.Equal(3, unreadable.Code);
        Assert.Contains("does not have our seal", unreadable.Error, StringComparison.Ordinal);
        using (var proxy = await ServeAsync(stage))
        {
            await proxy.SaysAsync("The work list starts empty");
            Assert.Equal("0 paths wanted\n", (await WantedAsync(stage)).Output);
            proxy.Kill();
        }
    }

    [Fact]
    public async Task The_operations_listener_asks_for_the_token_that_the_file_holds()
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice");
        var token = stage.Folder.File("token", "0123456789abcdef\n");
        File.SetUnixFileMode(token, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var port = FreePort();
        Configure(stage, operations =>
        {
            operations["listen"] = new JsonArray($"http://127.0.0.1:{port}");
            operations["wantedTokenFile"] = token;
        });
        using var proxy = await ServeAsync(stage);
        await proxy.AskAsync(output);
        using var client = new HttpClient();
        async Task<HttpResponseMessage> GetAsync(string? shown)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{port}/wanted");
            request.Headers.Authorization = shown is null ? null : new("Bearer", shown);
            return await client.SendAsync(request);
        }

        using var without = await GetAsync(null);
        using var wrong = await GetAsync("0123456789abcdee");
        using var right = await GetAsync("0123456789abcdef");

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized, HttpStatusCode.OK),
            (without.StatusCode, wrong.StatusCode, right.StatusCode));
        Assert.Equal("application/json", right.Content.Headers.ContentType?.MediaType);
        Assert.Contains(output.Path.Absolute, await right.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        proxy.Kill();
    }

    [Theory]
    [InlineData("", "whose token has characters other than printable ASCII", "two words")]
    [InlineData("", "which does not hold one line", "a\nb\n")]
    [InlineData("o+r", "which other users can read: chmod 600 it", "secret")]
    public async Task A_token_file_that_is_no_secret_is_refused(string mode, string fault, string content)
    {
        using var folder = new Folder();
        var token = folder.File("token", content);
        File.SetUnixFileMode(
            token, UnixFileMode.UserRead | UnixFileMode.UserWrite | (mode.Length > 0 ? UnixFileMode.OtherRead : UnixFileMode.None));
        var config = folder.File("config.json",
            $$"""{ "stateDirectory": "{{folder.Path}}", "operations": { "wantedTokenFile": "{{token}}", "wantedExclude": ["a b"] } }""");

        var (code, _, error) = await Cli.RunAsync(["check-config", "--config", config]);

        Assert.Equal(2, code);
        Assert.Contains($"operations.wantedTokenFile: is '{token}', {fault}", error, StringComparison.Ordinal);
        Assert.Contains("operations.wantedExclude: has 'a b', which matches no name", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_that_is_sent_unencrypted_is_warned_of()
    {
        using var folder = new Folder();
        var token = folder.File("token", "secret");
        File.SetUnixFileMode(token, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var config = folder.File("config.json", $$"""
            { "stateDirectory": "{{folder.Path}}", "operations": { "listen": ["http://127.0.0.1:8081", "http://0.0.0.0:8082"],
              "wantedTokenFile": "{{token}}" } }
            """);

        var (code, _, error) = await Cli.RunAsync(["check-config", "--config", config]);

        Assert.True(code is 0, error);
        Assert.Contains("warning: operations.wantedTokenFile: the token is sent unencrypted to 'http://0.0.0.0:8082'.", error,
            StringComparison.Ordinal);
        Assert.DoesNotContain("'http://127.0.0.1:8081'", error, StringComparison.Ordinal);
    }

    private static void Configure(Stage stage, Action<JsonObject> change)
    {
        var config = JsonNode.Parse(File.ReadAllText(stage.Config))!.AsObject();
        config["listen"] = new JsonArray("http://127.0.0.1:0");
        var operations = new JsonObject();
        change(operations);
        config["operations"] = operations;
        File.WriteAllText(stage.Config, config.ToJsonString());
    }

    private static Task<(int Code, string Output, string Error)> WantedAsync(Stage stage, params string[] options) =>
        Cli.RunAsync(["wanted", "--config", stage.Config, .. options]);

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<Served> ServeAsync(Stage stage)
    {
        var process = Process.Start(Executable.Start("serve", "--config", stage.Config))!;
        var said = new List<string>();
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            said.Add(line);
            if (line.StartsWith("serving at ", StringComparison.Ordinal))
            {
                return new Served(process, new Uri(line["serving at ".Length..]), said);
            }
        }

        throw new InvalidOperationException(string.Join('\n', said));
    }

    private sealed class Served(Process process, Uri url, List<string> said) : IDisposable
    {
        private readonly HttpClient _client = new() { BaseAddress = url };

        /// <summary>Waits until a line of its messages has a text.</summary>
        public async Task SaysAsync(string text)
        {
            while (!said.Exists(line => line.Contains(text, StringComparison.Ordinal)))
            {
                said.Add(await process.StandardError.ReadLineAsync() ?? throw new InvalidOperationException(string.Join('\n', said)));
            }
        }

        public async Task AskAsync(params TestOutput[] outputs)
        {
            foreach (var output in outputs)
            {
                using var response = await _client.GetAsync($"{output.Path.Digest}.narinfo");
                Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            }
        }

        public void Kill()
        {
            process.Kill();
            process.WaitForExit();
        }

        public void Dispose()
        {
            _client.Dispose();
            process.Dispose();
        }
    }
}
