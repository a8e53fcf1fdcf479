using System.Globalization;
using TrustixProxy.Benchmarks;

try
{
    return await RunAsync(args);
}
catch (Exception exception) when (exception is InvalidOperationException or HttpRequestException or IOException)
{
    Console.Error.WriteLine(exception.Message); // caught, so that what was started is ended
    return 3;
}

static async Task<int> RunAsync(string[] args) => args switch
{
    ["log", .. var sizes] when sizes.All(size => int.TryParse(size, out var entries) && entries >= 1000) =>
        await LogBenchmark.RunAsync(
            sizes.Length > 0 ? [.. sizes.Select(size => int.Parse(size, CultureInfo.InvariantCulture))] : [10_000, 100_000, 1_000_000]),
    ["log-model", .. var sizes] when sizes.All(size => long.TryParse(size, out var entries) && entries >= 1000) => LogModel.Run(
        sizes.Length > 0 ? sizes.Select(size => long.Parse(size, CultureInfo.InvariantCulture))
            : [1_000_000, 10_000_000, 100_000_000, 1_000_000_000]),
    ["witness"] => await WitnessBenchmark.RunAsync(),
    ["hook"] => HookBenchmark.Run(),
    ["warm"] => await WarmBenchmark.RunAsync(),
    ["nar"] => await NarBenchmark.RunAsync(),
    ["nar-store"] => await NarBenchmark.RunKeptAsync(),
    ["cold"] => await ColdBenchmark.RunAsync(20_000, isMirrorsOnly: false),
    ["mirror"] => await ColdBenchmark.RunAsync(20_000, isMirrorsOnly: true),
    ["mirror", var size] when int.TryParse(size, out var entries) && entries >= 2000 =>
        await ColdBenchmark.RunAsync(entries, isMirrorsOnly: true),
    ["cold", var size] when int.TryParse(size, out var entries) && entries >= 2000 =>
        await ColdBenchmark.RunAsync(entries, isMirrorsOnly: false),
    ["pipeline"] => await PipelineBenchmark.RunAsync(),
    ["guix"] => await PipelineBenchmark.GuixAsync(),
    ["apt"] => await AptBenchmark.RunAsync(),
    ["network", .. var letters] when NetworkBenchmark.AreLetters(letters) => await NetworkBenchmark.RunAsync(letters),
    ["s3"] => await BucketBenchmark.RunAsync(),
    ["fair"] => await FairBenchmark.RunAsync(),
    ["load"] => await LoadBenchmark.RunAsync(LoadBenchmark.DefaultConnections),
    ["load", var count] when int.TryParse(count, out var connections) && connections >= 1000 =>
        await LoadBenchmark.RunAsync(connections),
    ["crypto"] => CryptoBenchmark.Run(),
    ["start"] => await StartBenchmark.RunAsync(),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("""
        usage: dotnet run -c Release --project tests/Benchmarks -- BENCHMARK
          log [ENTRIES...]  the log node, at so many entries each (1000 or more; 10000 100000 1000000 unless given)
          log-model [ENTRIES...]  what logs of such sizes would take, counted by their layout (1000000 to 1000000000 unless given)
          witness           a log with three witnesses on loopback, beside the same log without
          hook              what the post-build hook adds to a build
          warm              narinfos in memory, beside nginx
          nar               a NAR of 1 GB, beside nginx
          nar-store         the same, while it is copied into the NAR store, and out of that
          cold [ENTRIES]    decisions that nobody has made before, at 50 ms to logs of so many entries and upstream, beside nginx (20000 unless given)
          mirror [ENTRIES]  of these, decisions from mirrors alone
          pipeline          1,000 narinfos in one write at 50 ms to logs and upstream, cold and warm, beside nginx
          guix              the same for GNU Guix, with two farms at 50 ms and nginx in front of one; rates of signatures
          apt               300 packages by a real apt through the gate, cold and warm, beside nginx and apt-cacher-ng
          network [LETTER...]  dead and hanging upstreams, NARs over a poor network, refused paths asked for again: parts a to h, all unless given
          s3                NARs out of an S3 bucket, as upstream beside nginx and as what replicas share
          fair              ten cold paths of one client beside 10,000 of another
          load [COUNT]      10,000 connections, or so many, held and 1,000 NARs on their way at once, beside nginx
          crypto            Ed25519 signatures and verifications, NSec beside libcrypto; signatures of GNU Guix
          start             start-up and idle memory with 100,000 decisions
        """);
    return 2;
}
