using System.Collections.Concurrent;
using System.Text;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Mirrors;

/// <summary>A mirror follows a log out of the static files that its node exports, verified as if the node had answered, and never asks the
/// node.</summary>
public sealed class ExportTests : IAsyncDisposable
{
    private const int Fillers = 300, More = 1100;

    private readonly TestFolder _export = new();
    private TestLogNode _node = new();
    private FileServer? _server;

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    [InlineData(false, 2)]
    public async Task Files_are_followed_as_they_grow_and_vote_without_their_node(bool isFolder, int version)
    {
        Choose(version);
        var (first, late, unspelled, nowhere) = (
            TestOutput.Make(), TestOutput.Make("late-1.0"), TestOutput.Make("unspelled-1.0"), TestOutput.Make("nowhere-1.0"));
        await FillAsync(first, unspelled);
        await using var proxy = await StartAsync(isFolder, first, unspelled, nowhere);
        proxy.Upstream().Add(unspelled, change: text => text.Replace("NarSize: ", "NarSize: 1", StringComparison.Ordinal));

        await proxy.NarInfoAsync(first);
        await proxy.NarInfoAsync(unspelled); // its value comes out of the files, too
        var absent = await proxy.AskAsync(nowhere.Path);
        await _node.SubmitAsync((late.Statement.Key, late.Statement.Value));
        await _node.SubmitAsync([.. Enumerable.Range(Fillers, More).Select(Filler)]);
        _node.Export(_export.Path);
        Assert.Contains("files=absent", absent.Text, StringComparison.Ordinal);
        await UntilAsync(() => proxy.Lines.Any(IsRead(Fillers + 3 + More)));
        await proxy.Publish(late).NarInfoAsync(late);
    }

    [Fact]
    public async Task A_mirror_that_was_stopped_goes_on_where_it_was_in_files_that_have_grown_meanwhile()
    {
        var (first, late) = (TestOutput.Make(), TestOutput.Make("late-1.0"));
        await FillAsync(first);
        await using var proxy = await StartAsync(isFolder: false, first, late);
        await UntilAsync(() => proxy.Lines.Any(IsRead(Fillers + 1)));
        await proxy.StopAsync();
        await _node.SubmitAsync((late.Statement.Key, late.Statement.Value));
        await _node.SubmitAsync([.. Enumerable.Range(Fillers, More).Select(Filler)]);
        _node.Export(_export.Path);
        var before = _server!.Asked.ToList();
        _server.Asked.Clear();

        await proxy.StartAsync();
        await UntilAsync(() => proxy.Lines.Any(IsRead(Fillers + 2 + More)));

        await proxy.NarInfoAsync(late);
        Assert.Contains("tile/entries/000", before);
        Assert.Contains("tile/entries/002", _server.Asked);
        Assert.DoesNotContain("tile/entries/000", _server.Asked);
    }

    [Theory]
    [InlineData("tile/entries/000", 2)]
    [InlineData("tile/entries/000", 20_000)]
    [InlineData("tile/entries/001.p/45", 40)]
    [InlineData("tile/entries/001.p/45", -1)]
    [InlineData("head", 40)]
    [InlineData("tile/entries/000", 2, 2)]
    [InlineData("tile/entries/000", 10_000, 2)]
    [InlineData("tile/entries/001.p/45", 40, 2)]
    [InlineData("tile/entries/001.p/45", -1, 2)]
    [InlineData("log.json", 11, 2)]
    [InlineData("head", 40, 2)]
    public async Task A_changed_byte_anywhere_is_refused_and_told_until_it_is_right(string file, int at, int version = 1)
    {
        Choose(version);
        var output = TestOutput.Make();
        await FillAsync(output);
        var path = Path.Combine(_export.Path, file);
        var right = await File.ReadAllBytesAsync(path);
        var wrong = (byte[])right.Clone();
        wrong[at < 0 ? wrong.Length + at : Math.Min(at, wrong.Length - 1)] ^= 1;
        await File.WriteAllBytesAsync(path, wrong);
        await using var proxy = await StartAsync(isFolder: false, output);

        var refused = await proxy.AskAsync(output.Path);
        await UntilAsync(() => proxy.Lines.Any(line => line.Contains("Mirror of files made no progress", StringComparison.Ordinal)
            || line.Contains("rejected its head", StringComparison.Ordinal)));
        await File.WriteAllBytesAsync(path, right);

        Assert.Contains("files=silent(", refused.Text, StringComparison.Ordinal);
        await UntilAsync(() => proxy.Lines.Any(IsRead(Fillers + 1)));
        await UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "agreed"); // the refusal lives for two seconds
    }

    [Theory]
    [InlineData(ulong.MaxValue, 5UL)]
    [InlineData(1UL << 63, 5UL)]
    [InlineData(5UL, ulong.MaxValue)]
    [InlineData(long.MaxValue, long.MaxValue)]
    [InlineData(0UL, 0UL)]
    public async Task An_unsigned_head_of_any_sizes_is_refused_and_the_right_one_is_followed_after_it(ulong size, ulong mapHeadSize)
    {
        var output = TestOutput.Make();
        await FillAsync(output);
        var path = Path.Combine(_export.Path, "head");
        var right = await File.ReadAllBytesAsync(path);
        var wrong = LogHead.Parser.ParseFrom(right);
        (wrong.TreeSize, wrong.MHTreeSize) = (size, mapHeadSize);
        await File.WriteAllBytesAsync(path, wrong.ToByteArray());
        await using var proxy = await StartAsync(isFolder: false, output);

        await UntilAsync(() => proxy.Lines.Any(line => line.Contains("rejected its head", StringComparison.Ordinal)));
        await File.WriteAllBytesAsync(path, right);

        await UntilAsync(() => proxy.Lines.Any(IsRead(Fillers + 1)));
        await proxy.NarInfoAsync(output);
    }

    [Fact]
    public async Task A_changed_value_is_no_vote_and_the_right_one_is_fetched_again()
    {
        Choose(2);
        var output = TestOutput.Make();
        await FillAsync(output);
        var path = Path.Combine(_export.Path, "tile", "values", "001.p", "45");
        var right = await File.ReadAllBytesAsync(path);
        await File.WriteAllBytesAsync(path, [.. right[..^1], (byte)(right[^1] ^ 1)]);
        await using var proxy = await StartAsync(isFolder: false, output);
        proxy.Upstream().Add(output, change: text => text.Replace("NarSize: ", "NarSize: 1", StringComparison.Ordinal));

        var refused = await proxy.AskAsync(output.Path);
        await File.WriteAllBytesAsync(path, right);

        Assert.Contains("files=silent(", refused.Text, StringComparison.Ordinal);
        await UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "agreed");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Checkpoints_of_an_export_are_demanded_as_those_of_a_node(bool isCosigned)
    {
        Choose(2);
        var output = TestOutput.Make();
        await FillAsync(output);
        var witness = new TestWitness("w1", 1);
        foreach (var name in isCosigned ? ["checkpoint", "mapheads/checkpoint"] : Array.Empty<string>())
        {
            var path = Path.Combine(_export.Path, name);
            Assert.True(SignedNote.TryParse(await File.ReadAllBytesAsync(path), out var note, out _));
            await File.WriteAllBytesAsync(path, note.With(witness.Cosign(note, DateTimeOffset.UtcNow)).ToBytes());
        }

        Assert.True(WitnessPolicy.TryParse(
            Encoding.UTF8.GetBytes($"{witness.Line}quorum w1\n"), mustDemand: true, out var policy, out _));
        await using var proxy = await StartAsync(isFolder: false, new WitnessDemand(_node.Origin!, _node.Signer.Key, policy, null), output);

        await UntilAsync(async () => (await proxy.AskAsync(output.Path)) is var answer
            && (isCosigned ? answer.Decision is "agreed" : answer.Text.Contains("files=unwitnessed", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_file_that_is_missing_is_named_and_an_absence_is_not_believed_once_files_are_gone()
    {
        var output = TestOutput.Make();
        await FillAsync(output);
        var (path, aside) = (Path.Combine(_export.Path, "tile", "entries", "000"), Path.Combine(_export.Path, "aside"));
        File.Move(path, aside);
        await using var proxy = await StartAsync(isFolder: true, output);

        await UntilAsync(
            () => proxy.Lines.Any(line => line.Contains("data_loss: tile/entries/000 is not there", StringComparison.Ordinal)));
        File.Move(aside, path);
        await UntilAsync(() => proxy.Lines.Any(IsRead(Fillers + 1)));
        File.Delete(Path.Combine(_export.Path, "head"));

        var asked = 0;
        await UntilAsync(async () =>
        {
            var nowhere = TestOutput.Make($"nowhere-{asked++}");
            return (await proxy.Publish(nowhere).AskAsync(nowhere.Path)).Text.Contains("files=silent(", StringComparison.Ordinal);
        });
        await proxy.NarInfoAsync(output);
    }

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _export.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    /// <summary>Has the log export files of a version: 2 for a log with an origin.</summary>
    private void Choose(int version) => _node = version is 1 ? _node : new TestLogNode { Origin = "log.example/nix" };

    /// <summary>Has a log under some heads, of more entries than one file holds, and its files.</summary>
    private async Task FillAsync(params TestOutput[] outputs)
    {
        await _node.StartAsync();
        await _node.SubmitAsync([.. Enumerable.Range(0, Fillers).Select(Filler)]);
        foreach (var output in outputs)
        {
            await _node.SubmitAsync((output.Statement.Key, output.Statement.Value));
        }

        _node.Export(_export.Path);
    }

    private Task<TestProxy> StartAsync(bool isFolder, params TestOutput[] outputs) => StartAsync(isFolder, null, outputs);

    private async Task<TestProxy> StartAsync(bool isFolder, WitnessDemand? witnesses, params TestOutput[] outputs)
    {
        _server = isFolder ? null : await FileServer.StartAsync(_export.Path);
        var url = _server is null ? new Uri($"file://{_export.Path}") : new Uri(_server.Url, "log/");
        var proxy = await TestProxy.WithThreeLogsAsync();
        var elector = new Elector.Log("files", "files", _node.Signer.Key) { Witnesses = witnesses };
        proxy.Change = options => options with
        {
            Policy = new Policy([elector]),
            Logs = [new LogOptions(elector, url, IsMirrored: true, IsExport: true)],
            MirrorPollInterval = TimeSpan.FromMilliseconds(100),
        };
        foreach (var output in outputs)
        {
            proxy.Publish(output);
        }

        return await proxy.StartAsync();
    }

    private static Func<string, bool> IsRead(long size) => line => line.Contains($"Mirror of files: all {size} ", StringComparison.Ordinal);

    private static (byte[] Key, byte[] Value) Filler(int number) =>
        (Encoding.ASCII.GetBytes($"key {number}"), Encoding.ASCII.GetBytes($"value {number}"));

    /// <summary>Any web server: files of a folder, below <c>/log/</c>.</summary>
    private sealed class FileServer(string folder) : FakeServer
    {
        /// <summary>The files that were asked for.</summary>
        public ConcurrentQueue<string> Asked { get; } = new();

        public static async Task<FileServer> StartAsync(string folder)
        {
            var server = new FileServer(folder);
            await server.ListenAsync();
            return server;
        }

        protected override Task AnswerAsync(HttpContext context)
        {
            var name = context.Request.Path.Value!.Replace("/log/", "", StringComparison.Ordinal);
            Asked.Enqueue(name);
            var path = Path.Combine(folder, name);
            context.Response.StatusCode = File.Exists(path) ? 200 : 404;
            return File.Exists(path) ? context.Response.Body.WriteAsync(File.ReadAllBytes(path)).AsTask() : Task.CompletedTask;
        }
    }
}
