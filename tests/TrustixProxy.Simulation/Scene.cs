using System.Text;
using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Simulation;

/// <summary>What everybody says and does about one path: who has built it, who lies and how.</summary>
internal sealed class Scene
{
    private readonly World _world;
    private readonly BuildStatement _true, _false;
    private readonly HashSet<string> _frozen = [];
    private readonly Dictionary<Member, TreeHead> _views = [];

    public Scene(World world)
    {
        _world = world;
        var path = MakePath($"p{Random.Next(100)}");
        var references = Enumerable.Range(0, Random.Next(3)).Select(i => MakePath($"r{i}")).ToList();
        _true = new BuildStatement(path, NixHash.Sha256(world.Bytes(32)), Random.Next(1, 1_000_000), references);
        _false = Random.Next(4) switch
        {
            0 => _true with { NarSize = _true.NarSize + 1 },
            1 => _true with { References = [.. references, path] },
            _ => _true with { NarHash = NixHash.Sha256(world.Bytes(32)) },
        };
        Truth = Fingerprint.Format(path, _true.NarHash, _true.NarSize, [.. _true.References.Distinct().Order()]);
    }

    public StorePath Path => _true.Path;

    /// <summary>The true claim's fingerprint.</summary>
    public string Truth { get; }

    public bool HasDelayedLie => _world.Members.Any(IsDelayed);

    public bool HasLieOfTheWire => _world.Members.Any(member => IsOfTheWire(member.Lie));

    public bool HasHarmlessLie =>
        _world.Members.Any(member => LieKind.All.TryGetValue(member.Lie, out var kind) && kind.Fate is LieKind.Harmless);

    /// <summary>The name that the proxy knows beforehand; null when it has to find it. Where an upstream gives a false one, both are
    /// decided on, and this one is to be told of.</summary>
    public StorePath? KnownName =>
        Random.Next(2) is 0 || _world.Upstreams.Any(upstream => upstream.Lie is Lie.UpstreamWrongName) ? Path : null;

    public bool HasUpstreamLie => _world.Upstreams.Any(upstream => upstream.Lie is not Lie.None);

    private Random Random => _world.Random;

    /// <summary>Gives everyone a part, publishes what was built, and has peers gossip.</summary>
    public async Task SetAsync()
    {
        foreach (var member in _world.Members)
        {
            member.Knows = Random.Next(8) > 0;
            member.Lie = Casting.LieOf(member, _world);
            member.Knows |= member.Lie is not Lie.None && LieKind.All[member.Lie].By is not Liar.Peer;
            if (member.Log is { } log)
            {
                (_views[member], log.Known) = (_world.Watched(member).Head!.Content, _world.Watched(member).Head!);
                Publish(member, log);
            }
            else
            {
                Fill(member, member.Cache!);
            }
        }

        SetUpstreams();
        foreach (var member in _world.Members.Where(member => member.Log is not null))
        {
            await GossipAsync(member, member.Log!);
        }
    }

    /// <summary>Before each asking: everyone takes another time to answer, and mirrors are brought to what their logs show.</summary>
    public async Task PrepareAsync()
    {
        SetLatencies();
        await _world.FollowAsync();
    }

    private void SetLatencies()
    {
        var areAllQuick = Random.Next(3) > 0;
        foreach (var host in _world.Network.Logs.Keys.Concat(_world.Network.Caches.Keys))
        {
            _world.Network.Latencies[host] = areAllQuick || Random.Next(2) is 0 ? TimeSpan.Zero
                : TimeSpan.FromMilliseconds(Random.Next(1, 6));
        }
    }

    /// <summary>Who has not known the path builds it after all, if he is honest.</summary>
    public List<Member> PublishLate()
    {
        var late = _world.Members.Where(member => !member.Knows && member.Lie is Lie.None).ToList();
        foreach (var member in late)
        {
            member.Knows = true;
            member.Log?.Publish(DigestFor(member), KeyOf(member), _true.Value);
            if (member.Cache is { } cache)
            {
                cache.Has = NarInfoOf(_true);
            }
        }

        return late;
    }

    /// <summary>Now the lies are told that wait until the answer has left.</summary>
    public async Task TellDelayedLiesAsync()
    {
        foreach (var member in _world.Members.Where(IsDelayed))
        {
            var (log, watched) = (member.Log!, _world.Watched(member));
            if (member.Lie is Lie.TwoEntries)
            {
                log.Log.Replace(KeyOf(member), _false.Value);
            }
            else
            {
                (log.Fork, log.Lie) = (Fork.Beside(log.Log, watched.Head!, _world.AnyDigest()), Lie.LaterFork);
            }

            await watched.RefreshAsync();
        }
    }

    /// <summary>Each ballot is what the lie has to come to; only those are frozen who contradict themselves; and no view moves back, or off
    /// the log's history.</summary>
    public void CheckBallots(Verdict all, bool isLater, Census census, string name)
    {
        foreach (var (member, answer) in _world.Members.Zip(all.Answers))
        {
            var (told, expected) = (Member.Told(answer.Ballot, Truth), member.Expected(isLater));
            var isExpected = expected is LieKind.Harmless ? told is not ("Frozen" or LieKind.Dissent)
                : told == expected || (told is "Frozen" && expected.StartsWith("Frozen", StringComparison.Ordinal))
                    || (told is "BreakerOpen" && isLater && IsOfTheWire(member.Lie));
            Fault.Unless(isExpected,
                $"{name}: {member.Name} with the lie {member.Lie} is to come to '{expected}', and comes to '{told}': {all.Sentence}");
            if (member.Log is not null)
            {
                CheckView(member, expected, told, name);
            }

            if (member.Lie is not Lie.None && LieKind.All[member.Lie].IsDelayed == isLater)
            {
                census.Count(member.Lie, told is "Frozen" ? expected : told);
            }
        }
    }

    public bool IsFrozen(string elector) => _frozen.Contains(elector);

    /// <summary>Whether an upstream, or this one, says that it has the claim's NAR.</summary>
    public bool IsOffered(OutputClaim claim, string? upstream = null) =>
        _world.Upstreams.Where((_, i) => upstream is null || $"u{i}" == upstream).Any(cache =>
        cache.Lie is not (Lie.UpstreamHang or Lie.UpstreamHtml or Lie.UpstreamReset)
        && (cache.Lie is Lie.UpstreamWrongName or Lie.UpstreamFalseHash or Lie.UpstreamFalseSize or Lie.UpstreamInjectedAddress
            ? cache.Instead : cache.Has)!.NarHash == claim.NarHash);

    /// <summary>What a store gives back that is not what it was given for this path under this policy is no decision.</summary>
    public void CheckStores(DecisionRecord record, Census census, string name)
    {
        var records = new RecordSeal(_world.Key, []);
        var (seal, other) = (new DecisionSeal(records, _world.Policy), new DecisionSeal(
            records, new Policy(_world.Policy.Electors, _world.Rule, _world.Policy.Rest.Dissent) { RequiresClosure = true }));
        var bytes = seal.Seal(Path.Digest, record);
        Fault.Unless(
            seal.TryOpen(Path.Digest, bytes, out var same, out _) && same.Claim == record.Claim, $"{name}: a sealed record does not open");
        Count(Lie.StoreMoved, seal.TryOpen(MakePath("m").Digest, bytes, out _, out var error), error);
        Count(Lie.StoreOfOtherPolicy, other.TryOpen(Path.Digest, bytes, out _, out error), error);
        bytes[Random.Next(bytes.Length)] ^= (byte)(1 << Random.Next(8));
        Count(Lie.StoreTampered, seal.TryOpen(Path.Digest, bytes, out _, out error), error);

        void Count(Lie lie, bool isBelieved, DecisionSealError why)
        {
            Fault.Unless(!isBelieved && why.ToString() == LieKind.All[lie].Fate, $"{name}: {lie} comes to {why}");
            census.Count(lie, why.ToString());
        }
    }

    public void CountUpstreamLies(Census census)
    {
        foreach (var upstream in _world.Upstreams.Where(upstream => upstream.Lie is not Lie.None))
        {
            census.Count(upstream.Lie, LieKind.Unheeded);
        }
    }

    /// <summary>All tell the truth again. Who was frozen is unfrozen by an operator, once its evidence has been seen to show what it was
    /// frozen for.</summary>
    public async Task ClearAsync()
    {
        var toRefresh = _world.Members.Where(member => member.Log is not null && (_frozen.Contains(member.Name) || IsOfTheWire(member.Lie)))
            .ToList();
        var states = _frozen.Count is 0 ? [] : await StatesAsync();
        foreach (var member in _world.Members)
        {
            if (_frozen.Contains(member.Name))
            {
                var kind = LieKind.All[member.Lie].Fate.Replace("F", "f", StringComparison.Ordinal);
                Fault.Unless(states[member.Name].StartsWith($"{kind}, ", StringComparison.Ordinal),
                    $"{member.Name} is to be {kind}, and is {states[member.Name]}");
                Fault.Unless(_world.Register.Unfreeze(member.Name, "the simulation goes on"), $"{member.Name} is not unfrozen");
            }

            member.Lie = Lie.None;
            if (member.Log is { } log)
            {
                (log.Lie, log.Fork) = (Lie.None, null);
            }
            else
            {
                member.Cache!.Lie = Lie.None;
            }
        }

        foreach (var upstream in _world.Upstreams)
        {
            upstream.Lie = Lie.None; // who was taken for silent answers a probe before the next trial
        }

        if (toRefresh.Count > 0)
        {
            // it is looked at again whether they are frozen, and their breakers let a call through
            await Task.Delay(TimeSpan.FromSeconds(3), _world.Time);
            foreach (var watched in toRefresh.Select(_world.Watched))
            {
                Fault.Unless(!watched.IsFrozen, $"{watched.Source} is frozen still");
                var refused = await watched.RefreshAsync();
                Fault.Unless(refused is null && watched.Head is not null, $"{watched.Source} is not heard again: {refused}");
            }
        }
    }

    /// <summary>How each log fares. A log is frozen in memory a moment before the disk has it.</summary>
    private async Task<Dictionary<string, string>> StatesAsync()
    {
        for (var left = 500; ; left--)
        {
            var states = _world.Register.List().ToDictionary(log => log.Name, log => log.State);
            if (left is 0 || _frozen.All(name => states[name].StartsWith("frozen", StringComparison.Ordinal)))
            {
                return states;
            }

            await Task.Delay(10);
        }
    }

    private static bool IsDelayed(Member member) => LieKind.All.TryGetValue(member.Lie, out var kind) && kind.IsDelayed;

    private static bool IsOfTheWire(Lie lie) =>
        lie is Lie.Noise || (lie is not Lie.None && LieKind.All[lie].Fate is "TooLarge" or "NoAnswer" or "Unreachable" or "BadAnswer");

    private void CheckView(Member member, string expected, string told, string name)
    {
        var watched = _world.Watched(member);
        Fault.Unless(watched.IsFrozen == expected.StartsWith("Frozen", StringComparison.Ordinal),
            $"{name}: {member.Name} with the lie {member.Lie} is {(watched.IsFrozen ? "frozen" : "not frozen")}; it said: {told}");
        if (watched.IsFrozen)
        {
            _frozen.Add(member.Name);
            return;
        }

        var (before, now) = (_views[member], watched.Head!.Content);
        Fault.Unless(now.TreeSize >= before.TreeSize && now == member.Log!.Log.Heads[(int)now.TreeSize].Content,
            $"{name}: the view of {member.Name} went from {before} to {now}");
        _views[member] = now;
    }

    private void Publish(Member member, SimulatedLog log)
    {
        log.Lie = LieKind.All.TryGetValue(member.Lie, out var kind) && (kind.IsDelayed || kind.By is Liar.Peer) ? Lie.None : member.Lie;
        if (!member.Knows)
        {
            return;
        }

        var value = member.Lie switch
        {
            Lie.FalseClaim or Lie.SplitThenFrozen => _false.Value,
            Lie.ValueOfOtherPath => (_true with { Path = MakePath("o") }).Value,
            Lie.ValueOfOtherName => (_true with { Path = Renamed("second") }).Value,
            Lie.ValueOfNothing => Encoding.ASCII.GetBytes($$"""{"path":"{{Path.Absolute}}","narHash":"x"}"""),
            // what upstreams say does not give it away
            Lie.WrongValue or Lie.NoValue or Lie.TamperedValue =>
                Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(_true.Value)[..^1] + ",\"builtBy\":\"us\"}"),
            _ => _true.Value,
        };
        log.Publish(DigestFor(member), KeyOf(member), value, member.Lie is Lie.EntryOfOtherLeaf ? 0 : null);
        log.Fork = member.Lie switch
        {
            Lie.SplitView or Lie.OneCallForked => Fork.Beside(log.Log, log.Known, _world.AnyDigest()),
            Lie.RewrittenLog or Lie.RewrittenMapHeads => Fork.After(log.Log, _world.AnyDigest(), member.Lie is Lie.RewrittenMapHeads),
            _ => null,
        };
    }

    private void Fill(Member member, SimulatedCache cache)
    {
        cache.Lie = member.Lie;
        cache.Has = member.Knows ? NarInfoOf(_true) : null;
        cache.Instead = member.Lie switch
        {
            Lie.CacheFalseClaim => NarInfoOf(_false),
            Lie.CacheOtherName => NarInfoOf(_true with { Path = Renamed("other") }),
            Lie.CacheOtherPath => NarInfoOf(_true with { Path = MakePath("o") }),
            _ => null,
        };
        cache.Relayed = _world.Key;
    }

    private void SetUpstreams()
    {
        var liar = Random.Next(5) is 0 ? Random.Next(_world.Upstreams.Count) : -1;
        for (var i = 0; i < _world.Upstreams.Count; i++)
        {
            var upstream = _world.Upstreams[i];
            upstream.Lie = i == liar ? Casting.UpstreamLie(_world) : Lie.None;
            upstream.Has = NarInfoOf(_true);
            upstream.Relayed = _world.Key;
            upstream.Instead = upstream.Lie switch
            {
                Lie.UpstreamWrongName => NarInfoOf(_true with { Path = Renamed("wrong") }),
                Lie.UpstreamFalseHash => NarInfoOf(_false),
                Lie.UpstreamFalseSize => NarInfoOf(_true with { NarSize = _true.NarSize + 7, References = [] }),
                Lie.UpstreamInjectedAddress =>
                    NarInfoOf(
                    _true) with
                    { ContentAddress = ContentAddress.TryParse($"fixed:r:{_true.NarHash}", out var address) ? address : null },
                _ => null,
            };
        }
    }

    private async Task GossipAsync(Member member, SimulatedLog log)
    {
        var head = member.Lie switch
        {
            Lie.ForkShownToPeers => Fork.Beside(log.Log, log.Known, _world.AnyDigest()).Head.ToMessage(),
            Lie.OlderForkShownToPeers => Fork.Beside(log.Log, log.Log.Heads[Casting.OlderSize(log)], _world.AnyDigest()).Head.ToMessage(),
            Lie.GossipReplayed => log.Log.Heads[Random.Next((int)log.Known.Content.TreeSize)].ToMessage(),
            Lie.GossipOfOtherLog => log.Other!.Log.Head.ToMessage(),
            Lie.GossipForged => Fork.Beside(log.Log, log.Known, _world.AnyDigest()).Head.ToMessage(),
            _ => null,
        };
        if (head is null)
        {
            return;
        }

        if (member.Lie is Lie.GossipForged)
        {
            head.Signature = Google.Protobuf.ByteString.CopyFrom(_world.Bytes(64));
        }

        var message = new
        {
            version = 1,
            heads = new[] { new { logId = log.Log.Signer.Key.LogId, head = Google.Protobuf.MessageExtensions.ToByteArray(head) } }
        };
        Fault.Unless(
            await _world.Gossip.HearAsync(JsonSerializer.SerializeToUtf8Bytes(message), "http://peer"), "gossip is not understood");
    }

    private string? DigestFor(Member member) =>
        ((Elector.Log)member.Elector).KeyForm is LogKeyForm.StorePath ? Path.Digest.ToString() : null;

    private byte[] KeyOf(Member member) => ((Elector.Log)member.Elector).KeyOf(Path);

    private StorePath Renamed(string name) =>
        StorePath.TryParse($"{Path.Digest}-{name}", out var path, out var error) ? path
        : throw new InvalidOperationException(error.ToString());

    private StorePath MakePath(string name) =>
        StorePath.TryParse($"{Nix32.Encode(_world.Bytes(20))}-{name}", out var path, out var error) ? path
        : throw new InvalidOperationException(error.ToString());

    /// <summary>The narinfo that an honest cache gives for a build.</summary>
    public static NarInfo NarInfoOf(BuildStatement statement) => new()
    {
        StorePath = statement.Path,
        Url = "nar/x.nar",
        Compression = "none",
        NarHash = statement.NarHash,
        NarSize = statement.NarSize,
        References = [.. statement.References.Distinct().Order()],
    };
}
