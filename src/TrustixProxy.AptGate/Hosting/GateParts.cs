using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Decisions;
using TrustixProxy.AptGate.Delivery;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.AptGate.Releases;
using TrustixProxy.AptGate.Serving;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.AptGate.Hosting;

/// <summary>All parts of the gate, and their connections.</summary>
internal sealed class GateParts : IDisposable
{
    private readonly StateWriter _writer;
    private readonly IndexReadings _readings;

    /// <exception cref="IOException">A folder cannot be made.</exception>
    /// <exception cref="Microsoft.Data.Sqlite.SqliteException">A database cannot be used.</exception>
    public GateParts(AptGateOptions options, TimeProvider time, ILogger logger)
    {
        Options = options;
        Directory.CreateDirectory(options.IndexDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _writer = new StateWriter(options.StateDirectory, time, logger);
        Indexes = new IndexBook(options.IndexDirectory);
        Indexes.DropUnfinished();
        Store = new FileStore(options.Store, time, logger);
        Archives = [.. options.Archives.Select(archive => new Archive(archive, time, logger))];
        Rebuilders = [.. options.Rebuilders.Select(rebuilder => new RebuilderClient(rebuilder, options.Deadline, time, logger))];
        Decisions = new DecisionBook(_writer, new DebSeal(new RecordSeal(options.SigningKey, []), options.Policy));
        Decider = new DebDecider(
            options.Policy, new RebuilderPoll(options.Policy, Rebuilders, options.Deadline, time), Decisions, time, logger);
        Releases = new ReleaseBook(_writer, time);
        Journal = new GateJournal();
        Decider.Decided += Journal.Add;
        _readings = new IndexReadings(Indexes, options.Deadline, time, logger);
        var files = new GateFiles(Store, new FileFetches(Store, time));
        Door = new GateDoor(Archives, new PackageAnswers(_readings, Decider, files), new HashedAnswers(_readings, files),
            new PassedAnswers(_readings, Releases, time), new LookAhead(Indexes, Decider, files));
    }

    public AptGateOptions Options { get; }

    public ImmutableArray<Archive> Archives { get; }

    public ImmutableArray<RebuilderClient> Rebuilders { get; }

    public IndexBook Indexes { get; }

    public FileStore Store { get; }

    public DecisionBook Decisions { get; }

    public DebDecider Decider { get; }

    public ReleaseBook Releases { get; }

    public GateJournal Journal { get; }

    public GateDoor Door { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Decider.Dispose();
        foreach (var peer in Archives.Cast<IDisposable>().Concat(Rebuilders))
        {
            peer.Dispose();
        }

        Store.Dispose();
        _readings.Dispose();
        Indexes.Dispose();
        _writer.Dispose();
    }
}
