using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using SQLitePCL;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.Logs.Watching;
using TrustixProxy.TransparencyLog;

// A proxy's watch over one log as it is, which kills itself (SIGKILL) the n-th time that the writing of a head reaches a point. Prints the
// size of each head that it has taken in.
// usage: STATE-DIRECTORY LOG-URL LOG-KEY POINT N
if (args is ["nar-store", var nars, var decisions, var maxSize, var seed])
{
    StoringNars.Run(nars, decisions, long.Parse(maxSize, CultureInfo.InvariantCulture), int.Parse(seed, CultureInfo.InvariantCulture));
}

if (args is ["nar-store-full", var small, var beside])
{
    return FillingDisk.Run(small, beside);
}

if (args is ["decision-memory", var decided])
{
    ReckonedMemory.Run(int.Parse(decided, CultureInfo.InvariantCulture));
    return 0;
}

var (directory, url, point) = (args[0], new Uri(args[1]), args[3]);
var left = int.Parse(args[4], CultureInfo.InvariantCulture);
var key = LogKey.TryParse(args[2], out var read, out _) ? read : throw new ArgumentException(args[2]);
var (time, views) = (TimeProvider.System, new ViewStore(directory));
using var connect = new ConnectClient(LogTransport.Create(url, network: null), TimeSpan.FromSeconds(10), time);
using var state = new StateWriter(directory);
var faults = new LogFaultStore(new LogIdentity("log", key, url), views, new LogRecords(state), directory, time, NullLogger.Instance);
var log = new WatchedLog("log", key, new LogClient(connect, key.LogId, time), views, faults, time, NullLogger.Instance);

var database = Private.WriterOf(Private.DatabaseOf(views)).Handle!;
raw.sqlite3_progress_handler(database, 1, _ => Reach("instruction"), null);
raw.sqlite3_commit_hook(database, _ => Reach("before-commit"), null);
raw.sqlite3_profile(database, (strdelegate_profile)((_, _, _) => Reach("after-commit")), null); // told when a statement has ended
while (true)
{
    if (await log.RefreshAsync() is { } reason)
    {
        Console.WriteLine(reason);
        return 1;
    }

    Console.WriteLine(log.Head!.Content.TreeSize);
    Reach("told");
}

int Reach(string reached)
{
    if (reached == point && Interlocked.Decrement(ref left) is 0)
    {
        Process.GetCurrentProcess().Kill();
        Thread.Sleep(Timeout.Infinite);
    }

    return 0;
}

/// <summary>The connection that writes heads, whose hooks SQLite calls.</summary>
internal static class Private
{
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_database")]
    public static extern ref StateDatabase DatabaseOf(ViewStore store);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_writer")]
    public static extern ref SqliteConnection WriterOf(StateDatabase database);
}
