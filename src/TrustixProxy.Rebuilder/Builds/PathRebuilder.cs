using System.Collections.Concurrent;
using System.Globalization;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Derivations;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Rebuilder.Stores;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>Rebuilds one path at a time for each caller, and leaves the result in the spool.</summary>
/// <remarks>
/// <code>
/// find derivation ──▶ remove its outputs ──▶ bring inputs ──▶ record "building" ──▶ build ──▶ record "built" ──▶ spool ──▶ record "queued"
/// </code>
/// Killed after "building", the next process lets that build end or repeats it, and removes nothing; killed after "built", it only spools.
/// Builds in whose middle it breaks down again and again are tried later and later, alone, and then no more.
/// The spool's job has one name for each build, so that writing it twice is writing it once.</remarks>
public sealed class PathRebuilder : IDisposable
{
    /// <summary>Maximum number of records of paths without a derivation.</summary>
    private const int MaxUnfound = 10_000;

    private readonly RebuilderOptions _options;
    private readonly RecordFolder _records;
    private readonly BuildLedger _ledger;
    private readonly NixCommand _nix;
    private readonly OwnStore _store;
    private readonly StoreRoom _room;
    private readonly InputVotes _votes;
    private readonly BuildInputs _inputs;
    private readonly DerivationFinder _finder;
    private readonly SemaphoreSlim _preparing = new(1, 1);
    private readonly ConcurrentDictionary<StorePath, SemaphoreSlim> _turns = new();

    /// <summary>Locks the store's records.</summary>
    /// <exception cref="IOException">The store cannot be used, or another rebuilder uses it.</exception>
    /// <exception cref="UnauthorizedAccessException">The store is not writable.</exception>
    public PathRebuilder(RebuilderOptions options, TimeProvider time)
    {
        _options = options;
        MakeFolder(options.Store);
        _records = RecordFolder.Open(options.RecordFolder);
        _ledger = new BuildLedger(options, _records, time);
        _ledger.NoteInterruptions();
        CollectorRoot.RemoveAll(options.Store);
        var home = MakeFolder(Path.Combine(options.Store, OwnStore.HomeFolder));
        MakeFolder(Path.Combine(home, "conf"));
        _nix = new NixCommand(home, StoreSettings.Of(options.Substituter, options.PublicKeys, Environment.IsPrivilegedProcess), time);
        _store = new OwnStore(options.Store, _nix);
        _room = new StoreRoom(options, _store);
        _votes = new InputVotes(options.Substituter, time);
        _inputs = new BuildInputs(options, _store, _votes, BoundsOf);
        _finder = new DerivationFinder(_store, options.Expressions, time);
    }

    /// <summary>All records.</summary>
    public RecordFolder Records => _records;

    /// <summary>Fails unless foreign builders can be shut in here.</summary>
    /// <exception cref="NixException">They cannot; says what to do.</exception>
    public Task CheckSandboxAsync(CancellationToken cancellation) => SandboxProbe.RunAsync(_store, _nix, cancellation);

    /// <summary>Rebuilds a target, unless a record says that it was; returns its record.</summary>
    /// <param name="again">Whether to build again what was built before.</param>
    /// <exception cref="IOException">A record or the spool cannot be written.</exception>
    public async Task<BuildRecord> RebuildAsync(RebuildTarget target, bool again, CancellationToken cancellation)
    {
        var known = _ledger.Find(target.Path);
        if (known is { IsBuilt: true })
        {
            known = _ledger.Queue(known); // also before another result takes its place
            if (!again)
            {
                return known;
            }
        }

        try
        {
            var (found, root) = await PrepareAsync(target, cancellation);
            using (root)
            {
                return await RebuildAsync(found, again, cancellation);
            }
        }
        catch (NixException exception)
        {
            return _ledger.Postpone(_ledger.Begin(target.Path, known), exception.Message);
        }
    }

    /// <summary>Puts into the spool what was built before and is not there yet, and bounds the records.</summary>
    /// <exception cref="IOException">The spool is full, or it or the records cannot be written to.</exception>
    public void TidyUp()
    {
        _records.Prune(MaxUnfound);
        foreach (var record in _records.All())
        {
            _ledger.Queue(record);
        }
    }

    /// <summary>Finds a target's derivation, in a store that has room, and keeps it from the garbage collector.</summary>
    private async Task<(FoundDerivation Found, CollectorRoot Root)> PrepareAsync(RebuildTarget target, CancellationToken cancellation)
    {
        await _preparing.WaitAsync(cancellation);
        try
        {
            if (await _room.MakeAsync(InUse, cancellation))
            {
                _finder.Forget();
            }

            var found = await _finder.FindAsync(target, cancellation);
            return (found, new CollectorRoot(_options.Store, found.Path));
        }
        finally
        {
            _preparing.Release();
        }
    }

    private async Task<BuildRecord> RebuildAsync(FoundDerivation found, bool again, CancellationToken cancellation)
    {
        var turn = _turns.GetOrAdd(found.Path, _ => new SemaphoreSlim(1, 1)); // several outputs of one derivation are built once
        await turn.WaitAsync(cancellation);
        try
        {
            var known = _ledger.Find(found.Wanted);
            known = known is null ? null : _ledger.Queue(known);
            return known is { IsBuilt: true } && !again ? known : await RebuildAsync(found, known, cancellation);
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task<BuildRecord> RebuildAsync(FoundDerivation found, BuildRecord? known, CancellationToken cancellation)
    {
        var record = _ledger.Begin(found.Wanted, known) with { Derivation = found.Path.Absolute };
        try
        {
            return RefusalOf(found) is { } refusal ? _ledger.Fail(record, refusal, isFinal: true)
                : await BuildAsync(found, record, cancellation);
        }
        catch (OperationCanceledException)
        {
            _ledger.Stop(found.Wanted);
            throw;
        }
        catch (NixException exception)
        {
            return _ledger.Postpone(record, exception.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _votes.Dispose();
        _finder.Dispose();
        _preparing.Dispose();
        _records.Dispose();
    }

    private async Task<BuildRecord> BuildAsync(FoundDerivation found, BuildRecord record, CancellationToken cancellation)
    {
        var outputs = found.Read.Outputs.Select(output => output.Path).ToList();
        _ledger.Keep(record);
        IReadOnlyList<OwnPath> before;
        await _preparing.WaitAsync(cancellation);
        try
        {
            await RemoveOutputsAsync(outputs, record.BeganEmpty, cancellation);
            await _inputs.BringAsync(found.Path, found.Read, cancellation);
            before = await (Environment.IsPrivilegedProcess ? _inputs.SeenAsync(found.Read, cancellation)
                : _inputs.VerifiedAsync(found.Read, cancellation)); // an earlier builder may have changed them: it ran as their owner
            record = _ledger.Keep(record with
            {
                State = BuildState.Building,
                BeganEmpty = true,
                Unvoted = _options.Inputs is InputSource.Proxy ? await _inputs.UnvotedAsync(before, cancellation) : [],
            });
        }
        finally
        {
            _preparing.Release();
        }

        var builtToo = _options.Inputs is InputSource.Build ? await _store.ClosureAsync([found.Path], cancellation) : [];
        var end = await _store.BuildAsync(found.Path, BoundsOf(found, builtToo), cancellation);
        OwnStore.Remove(_store.TemporaryOf(found.Path));
        if (end.LacksRoom)
        {
            throw new NixException(end.Reason);
        }

        if (end.Code is not 0)
        {
            return _ledger.Fail(record, end.Reason, isFinal: false);
        }

        var built = await _store.DescribeAsync(outputs, cancellation);
        var after = await _inputs.SeenAsync(found.Read, cancellation);
        var reason = built.Any(path => !path.IsBuiltHere) ? "an output was not built here, but came from elsewhere"
            : _options.Inputs is InputSource.Proxy && !IsSame(before, after) ? "its inputs changed while it was built" : "";
        if (reason.Length > 0)
        {
            await _store.RemoveAsync(outputs, cancellation);
            return _ledger.Fail(record, reason, isFinal: false);
        }

        return _ledger.Complete(record with
        {
            Outputs = [.. built.OrderBy(path => path.Path).Select(path => BuiltOutput.Of(path.Output.Statement))],
            Unvoted = _options.Inputs is InputSource.Build ? await _inputs.UnvotedAsync(after, cancellation) : record.Unvoted,
        });
    }

    /// <summary>Removes the outputs that are here, so that they are really built; those of the interrupted build itself stay.</summary>
    private async Task RemoveOutputsAsync(IReadOnlyList<StorePath> outputs, bool resumes, CancellationToken cancellation)
    {
        if (resumes)
        {
            var valid = outputs.Except(await _store.InvalidAsync(outputs, cancellation)).ToList();
            if ((await _store.DescribeAsync(valid, cancellation)).All(path => path.IsBuiltHere))
            {
                return;
            }
        }

        await _store.RemoveAsync(outputs, cancellation);
    }

    /// <summary>Derivations that are being built, or that what an earlier process started may still be building.</summary>
    private IEnumerable<StorePath> InUse => _records.All()
        .Where(record => record.State is BuildState.Preparing or BuildState.Building or BuildState.Interrupted)
        .Select(record => StorePath.TryParseAbsolute(record.Derivation, out var path, out _) ? path : null).OfType<StorePath>();

    private string? RefusalOf(FoundDerivation found) =>
        !_options.Filter.Admits(found.Wanted) ? "rebuilder.include and rebuilder.exclude do not admit its name"
        : _options.Filter.FindHidden([found.Path]) is not null ? "rebuilder.exclude matches its derivation's name"
        : !_options.Systems.Contains(found.Read.System) && found.Read.System is not "builtin"
            ? $"it is for {found.Read.System}; rebuilder.systems has {string.Join(", ", _options.Systems)}"
        : null;

    private NixBounds BoundsOf(StorePath derivation) =>
        new(_options.Time, MakeFolder(_store.TemporaryOf(derivation))) { Store = _room.Bound };

    /// <param name="builtToo">The derivations that may be built with it.</param>
    private NixBounds BoundsOf(FoundDerivation found, IEnumerable<StorePath> builtToo) => BoundsOf(found.Path) with
    {
        Disk = _options.Disk,
        Measured = () => _store.FoldersOf(found.Path, found.Read).Append(_store.TemporaryOf(found.Path))
            .Union(builtToo.Where(Derivation.IsNamedBy).Select(_store.SandboxOf)),
    };

    private static string MakeFolder(string folder) =>
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;

    private static bool IsSame(IEnumerable<OwnPath> before, IEnumerable<OwnPath> after) =>
        before.Select(path => (path.Path, path.Output.Statement.NarHash)).ToHashSet()
            .SetEquals(after.Select(path => (path.Path, path.Output.Statement.NarHash)));
}
