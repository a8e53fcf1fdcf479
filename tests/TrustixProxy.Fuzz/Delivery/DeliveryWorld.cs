using System.Globalization;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Fuzz.Delivery;

/// <summary>A proxy over one to three upstreams, each with a fault of its own.</summary>
internal sealed class DeliveryWorld : IAsyncDisposable
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

        var (proxy, served) = (new TestProxy { NarDeadline = TimeSpan.FromSeconds(2) }, new List<FaultyFiles>());
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

        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(5) };
        return new DeliveryWorld(await proxy.StartAsync(), faults, served);
    }

    /// <summary>The narinfo of an output, which every upstream has.</summary>
    public Task<NarInfo> NarInfoAsync(TestOutput output) => Proxy.NarInfoAsync(output);

    public ValueTask DisposeAsync() => Proxy.DisposeAsync();

    private static string WithOtherFileSize(string narInfo, int size) =>
        narInfo.Replace(string.Create(CultureInfo.InvariantCulture, $"FileSize: {size}\n"), "FileSize: 7\n", StringComparison.Ordinal);
}
