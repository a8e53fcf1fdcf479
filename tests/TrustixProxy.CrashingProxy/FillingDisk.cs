using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nix;

/// <summary>A NAR store as it is, on a disk of a mebibyte (or, where there is none, in a folder that goes away and comes back): NARs are
/// stored until the disk is full, and again when it is not. Prints what is not as it must be, and gives how much that is.</summary>
internal static class FillingDisk
{
    /// <summary>usage: nar-store-full DIRECTORY STATE-DIRECTORY.</summary>
    public static int Run(string directory, string state)
    {
        var (clock, log, random, faults) = (new Clock(), new LineLog(), new Random(1), new List<string>());
        using var writer = new StateWriter(state);
        using var known = new KnownFiles(writer, new RecordSeal(NixSecretKey.Generate("full"), []), null, clock);
        var options = new NarStoreOptions(directory, 1 << 30, []);
        using var store = new NarStore(options, known, clock, log);
        store.Start();
        store.Loaded.Wait();
        var ballast = Path.Combine(directory, "ballast");
        File.WriteAllBytes(ballast, new byte[300_000]);

        for (var i = 0; i < 100 && !log.Has("pauses writing"); i++)
        {
            Store();
        }

        var (away, isSmall) = (directory + ".away", log.Has("No space left on device"));
        if (!isSmall)
        {
            Directory.Move(directory, away);
            Store();
            Directory.Move(away, directory);
        }

        var before = store.Size;
        Expect(log.Has("pauses writing"), "the disk never refused");
        Expect(before > 300_000, "nothing was stored before");
        Expect(!StoringNars.Write(store, random, 100), "something is begun although the disk is full");
        Expect(Directory.GetFiles(directory) is [var only] && only == ballast, "something unfinished is left");
        foreach (var (nar, _, _) in new NarStoreFolder(directory, TrustixProxy.Nix.Store.Nix).List())
        {
            Expect(store.FindAsync(nar, TimeSpan.FromSeconds(10), default).AsTask().Result is not null, $"{nar} is not served on");
        }

        Expect(new NarStoreMaintenance(options).CheckAsync(isToDelete: false, default).Result.Damaged.Count is 0, "something is damaged");
        File.Delete(ballast);
        clock.Shift += TimeSpan.FromSeconds(11);
        Store();
        SpinWait.SpinUntil(() => log.Has("writes again"), TimeSpan.FromSeconds(10));
        Expect(store.Size > before && log.Has("writes again"), "it does not store again");
        faults.ForEach(Console.WriteLine);
        return faults.Count;

        void Store()
        {
            var (size, isBegun) = (store.Size, StoringNars.Write(store, random, 100_000));
            SpinWait.SpinUntil(() => !isBegun || store.Size > size || log.Has("pauses writing"), TimeSpan.FromSeconds(10));
        }

        void Expect(bool isSo, string fault)
        {
            if (!isSo)
            {
                faults.Add($"{fault}: {string.Join("; ", log.Lines)}");
            }
        }
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override long GetTimestamp() => base.GetTimestamp() + (long)(Shift.TotalSeconds * TimestampFrequency);
    }

    private sealed class LineLog : ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public bool Has(string text) => Lines.Any(line => line.Contains(text, StringComparison.Ordinal));

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
            string> formatter) => Lines.Enqueue(formatter(state, exception));
    }
}
