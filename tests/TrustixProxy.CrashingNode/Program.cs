using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.LogNode.Hosting;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

// The log node as it is, which kills itself (SIGKILL) the n-th time that its writer reaches a phase.
// usage: STATE-DIRECTORY SEED-HEX TOKEN PHASE N ORIGIN POLICY-FILE
// A check or an export of a log, which kills itself the n-th time that it tells how far it is.
// usage: fsck|export FILE SEED-HEX N FOLDER
if (args is ["fsck" or "export", var file, var hex, var times, var folder])
{
    var (toGo, signer) = (int.Parse(times, System.Globalization.CultureInfo.InvariantCulture), new LogSigner(Convert.FromHexString(hex)));
    Action<double> tell = _ => Die(ref toGo);
    _ = args[0] is "fsck" ? LogCheck.Run(file, signer.Key, tell, null, mostPages: 50).Entries
        : LogExport.Run(file, signer, folder, "log.example/x", tell).Entries;
    return;
}

var (directory, seed, token, phase) = (args[0], Convert.FromHexString(args[1]), args[2], Enum.Parse<WritePhase>(args[3]));
var left = int.Parse(args[4], System.Globalization.CultureInfo.InvariantCulture);
NixPublicKey.TryParse(token, out var key, out _);
var policy = WitnessPolicy.TryParse(File.ReadAllBytes(args[6]), mustDemand: true, out var read, out var fault) ? read
    : throw new InvalidDataException(fault.ToString());
var options = new LogNodeOptions
{
    Listen = ["http://127.0.0.1:0"],
    PrivateListen = ["http://127.0.0.1:0"],
    StateDirectory = directory,
    Logs = [new HostedLogOptions("test", new LogSigner(seed), [key!])
    {
        Origin = args[5],
        Witnesses = new WitnessOptions(policy, TimeSpan.FromMilliseconds(30), IsWithheld: true),
    }],
    FlushInterval = TimeSpan.FromMilliseconds(20),
    HistoryWindow = TimeSpan.FromMilliseconds(1),
};
await using var app = LogNodeHost.Create(options, builder => builder.Logging.ClearProviders(), null, null, reached =>
{
    if (reached == phase)
    {
        Die(ref left);
    }
});
await app.StartAsync();
Console.WriteLine(string.Join(' ', app.Urls));
await app.WaitForShutdownAsync();

static void Die(ref int left)
{
    if (Interlocked.Decrement(ref left) == 0)
    {
        Process.GetCurrentProcess().Kill();
        Thread.Sleep(Timeout.Infinite);
    }
}
