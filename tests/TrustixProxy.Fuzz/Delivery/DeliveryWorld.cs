using System.Globalization;
using System.Text.RegularExpressions;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Fuzz.Delivery;

/// <summary>A proxy over one to three upstreams, each with a fault of its own.</summary>
internal sealed partial class DeliveryWorld : IAsyncDisposable
{
    /// <summary>Faults under which an upstream still delivers.</summary>
    private static readonly UpstreamFault[] Bearable =
        [.. Enum.GetValues<UpstreamFault>().TakeWhile(fault => fault is not UpstreamFault.OtherFile)];

    private readonly IReadOnlyList<FaultyFiles> _files;

    private DeliveryWorld(TestProxy proxy, IReadOnlyList<UpstreamFault> faults, IReadOnlyList<FaultyFiles> files) =>
        (Proxy, Faults, _files) = (proxy, faults, files);

    public TestProxy Proxy { get; }

    public IReadOnlyList<UpstreamFault> Faults { get; }

    /// <summary>Whether one upstream can deliver each NAR.</summary>
    public bool CanDeliver => Faults.Any(Bearable.Contains);

    /// <summary>How many connections to upstreams bring a NAR now.</summary>
    public int Running => _files.Sum(files => files.Running);

    public static async Task<DeliveryWorld> StartAsync(IReadOnlyList<(TestOutput Output, string Compression)> outputs, Random random)
    {
        var faults = random.GetItems(Enum.GetValues<UpstreamFault>(), random.Next(1, 4));
        if (random.Next(5) > 0 && !faults.Any(Bearable.Contains))
        {
            faults[random.Next(faults.Length)] = random.GetItems(Bearable, 1)[0];
        }

        var (proxy, served) = (new TestProxy { NarDeadline = TimeSpan.FromSeconds(3), LogsDebug = true }, new List<FaultyFiles>());
        foreach (var log in new[] { "alice", "bob" })
        {
            await proxy.AddLogAsync(log);
        }

        var files = outputs.ToDictionary(
            item => $"/{item.Output.NarInfo(item.Compression).Url}", item => item.Output.File(item.Compression));
        foreach (var fault in faults)
        {
            var upstream = await proxy.AddUpstreamAsync($"upstream-{served.Count}");
            served.Add(new FaultyFiles(fault, files, random.Next()));
            upstream.Intercept = served[^1].AnswerAsync;
            foreach (var (output, compression) in outputs)
            {
                var size = output.File(compression).Length;
                upstream.Add(output, compression, text => fault is UpstreamFault.WrongFileSize ? WithOtherFileSize(text, size) : text);
            }
        }

        foreach (var (output, _) in outputs)
        {
            proxy.Log("alice").Publish(output.Statement);
            proxy.Log("bob").Publish(output.Statement);
        }

        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(8) };
        return new DeliveryWorld(await proxy.StartAsync(), faults, served);
    }

    /// <summary>Whether the proxy had sent a byte that the file does not have, so that only a cut could take it back.</summary>
    /// <remarks>The client may not have seen that byte: a cut drops what is still on the way.</remarks>
    public bool HadToCut(DeliveryOrder order)
    {
        var (path, digest) = ($"/{order.Output.NarInfo(order.NarInfo.Compression).Url}", order.Output.Path.Digest.ToString());
        var firstWrong = _files.Min(files => files.FirstWrongByte(path));
        return Proxy.Lines.Any(line => line.Contains(digest, StringComparison.Ordinal)
            && CutAfter().Match(line) is { Success: true } cut
            && long.Parse(cut.Groups[1].Value, CultureInfo.InvariantCulture) > firstWrong);
    }

    /// <summary>The narinfo of an output, which every upstream has.</summary>
    public Task<NarInfo> NarInfoAsync(TestOutput output) => Proxy.NarInfoAsync(output);

    public ValueTask DisposeAsync() => Proxy.DisposeAsync();

    [GeneratedRegex("cut a client's download: the first (\\d+) bytes")]
    private static partial Regex CutAfter();

    private static string WithOtherFileSize(string narInfo, int size) =>
        narInfo.Replace(string.Create(CultureInfo.InvariantCulture, $"FileSize: {size}\n"), "FileSize: 7\n", StringComparison.Ordinal);
}
