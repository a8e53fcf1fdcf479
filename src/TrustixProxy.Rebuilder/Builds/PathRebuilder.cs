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
        CollectorRoot.RemoveAll(options.Store);
        var home = MakeFolder(Path.Combine(options.Store, "home"));
        MakeFolder(Path.Combine(home, "conf"));
        _nix = new NixCommand(home, StoreSettings.Of(options.Substituter, options.PublicKeys, Environment.IsPrivilegedProcess), time);
        _store = new OwnStore(options.Store, _nix);
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
        if (known is { IsBuilt: true } && !again)
        {
            return _ledger.Queue(known);
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
            await MakeRoomAsync(cancellation);
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
        var known = _ledger.Find(found.Wanted);
        var record = _ledger.Begin(found.Wanted, known) with { Derivation = found.Path.Absolute };
        try
        {
            return known is { IsBuilt: true } && !again ? _ledger.Queue(known)
                : RefusalOf(found) is { } refusal ? _ledger.Fail(record, refusal, isFinal: true)
                : await BuildAsync(found, record, known is { State: BuildState.Building }, cancellation);
        }
        catch (NixException exception)
        {
            return _ledger.Postpone(record, exception.Message);
        }
        finally
        {
            turn.Release();
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

    private async Task<BuildRecord> BuildAsync(FoundDerivation found, BuildRecord record, bool resumes, CancellationToken cancellation)
    {
        var outputs = found.Read.Outputs.Select(output => output.Path).ToList();
        IReadOnlyList<OwnPath> before;
        await _preparing.WaitAsync(cancellation);
        try
        {
            await RemoveOutputsAsync(outputs, resumes, cancellation);
            await _inputs.BringAsync(found.Path, found.Read, cancellation);
            before = await VerifiedInputsAsync(found, cancellation);
            record = _ledger.Keep(record with
            {
                State = BuildState.Building,
                Unvoted = _options.Inputs is InputSource.Proxy ? await _inputs.UnvotedAsync(before, cancellation) : [],
            });
        }
        finally
        {
            _preparing.Release();
        }

        var builtToo = _options.Inputs is InputSource.Build ? await _store.ClosureAsync([found.Path], cancellation) : [];
        var end = await _store.BuildAsync(found.Path, BoundsOf(found, builtToo), cancellation);
        DeleteTemporary(found.Path);
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

    /// <summary>Lists the inputs. Where builders run as the user who owns them, they are hashed first: an earlier builder may have changed
    /// them.</summary>
    private async Task<IReadOnlyList<OwnPath>> VerifiedInputsAsync(FoundDerivation found, CancellationToken cancellation)
    {
        var seen = await _inputs.SeenAsync(found.Read, cancellation);
        if (Environment.IsPrivilegedProcess)
        {
            return seen;
        }

        try
        {
            await _store.VerifyAsync([.. seen.Select(path => path.Path)], cancellation);
            return seen;
        }
        catch (NixException exception)
        {
            await _store.RemoveAsync([.. seen.Select(path => path.Path)], cancellation);
            throw new NixException($"inputs were changed after they came, so they were removed: {exception.Message}");
        }
    }

    private async Task MakeRoomAsync(CancellationToken cancellation)
    {
        var size = _store.Size();
        if (size <= _options.TotalDisk)
        {
            return;
        }

        await _store.CollectAsync(size - (_options.TotalDisk / 5 * 4), cancellation);
        _finder.Forget();
        size = _store.Size();
        if (size > _options.TotalDisk)
        {
            throw new NixException(string.Create(CultureInfo.InvariantCulture, $"the store has {size} bytes, more than "
                + $"{_options.TotalDisk} (rebuilder.totalDisk), and running builds use the rest"));
        }
    }

    private string? RefusalOf(FoundDerivation found) =>
        !_options.Filter.Admits(found.Wanted) ? "rebuilder.include and rebuilder.exclude do not admit its name"
        : _options.Filter.FindHidden([found.Path]) is not null ? "rebuilder.exclude matches its derivation's name"
        : !_options.Systems.Contains(found.Read.System) && found.Read.System is not "builtin"
            ? $"it is for {found.Read.System}; rebuilder.systems has {string.Join(", ", _options.Systems)}"
        : null;

    private NixBounds BoundsOf(StorePath derivation) => new(_options.Time, MakeFolder(TemporaryOf(derivation)));

    /// <param name="builtToo">The derivations that may be built with it.</param>
    private NixBounds BoundsOf(FoundDerivation found, IEnumerable<StorePath> builtToo) => BoundsOf(found.Path) with
    {
        Disk = _options.Disk,
        Measured = () => _store.FoldersOf(found.Path, found.Read).Append(TemporaryOf(found.Path))
            .Union(builtToo.Where(Derivation.IsNamedBy).Select(_store.SandboxOf)),
    };

    private string TemporaryOf(StorePath derivation) => Path.Combine(_options.Store, "tmp", derivation.Digest.ToString());

    private void DeleteTemporary(StorePath derivation)
    {
        try
        {
            Directory.Delete(TemporaryOf(derivation), recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Nix removes what a killed build left, when it builds there again
        }
    }

    private static string MakeFolder(string folder) =>
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;

    private static bool IsSame(IEnumerable<OwnPath> before, IEnumerable<OwnPath> after) =>
        before.Select(path => (path.Path, path.Output.Statement.NarHash)).ToHashSet()
            .SetEquals(after.Select(path => (path.Path, path.Output.Statement.NarHash)));
}
