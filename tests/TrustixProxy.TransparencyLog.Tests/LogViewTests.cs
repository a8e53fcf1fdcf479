namespace TrustixProxy.TransparencyLog.Tests;

public sealed class LogViewTests
{
    private static readonly LogSigner Signer = new(new byte[32]);

    [Fact]
    public void A_view_follows_a_log_through_all_its_heads()
    {
        var log = new History(Signer);
        var view = new LogView(log.Head);
        for (var i = 0; i < 40; i++)
        {
            log.Add($"entry {i}");
            Assert.True(Advance(view, log, log.Head, out var next, out var error, out _), error.ToString());
            view = next;
        }

        Assert.Equal(40, view.Head.Content.TreeSize);
    }

    [Fact]
    public void The_same_head_again_changes_nothing()
    {
        var log = new History(Signer).Add("a");
        var view = new LogView(log.Head);

        Assert.True(view.TryAdvance(log.Head, [], [], out var same, out _, out _));
        Assert.Same(view, same);
    }

    [Fact]
    public void A_replayed_older_head_is_not_used_and_is_no_fault()
    {
        var log = new History(Signer).Add("a");
        var old = log.Head;
        var view = new LogView(log.Add("b").Head);

        Assert.False(view.TryAdvance(old, [], [], out _, out var error, out var fault));
        Assert.Equal((LogViewError.Older, null), (error, fault));
    }

    [Fact]
    public void Another_logs_head_is_not_used()
    {
        var view = new LogView(new History(Signer).Add("a").Head);
        var other = new History(new LogSigner([1, .. new byte[31]])).Add("a").Add("b");

        Assert.False(view.TryAdvance(other.Head, [], [], out _, out var error, out _));
        Assert.Equal(LogViewError.OtherLog, error);
    }

    [Fact]
    public void Two_heads_of_one_size_are_a_split_view()
    {
        var view = new LogView(new History(Signer).Add("a").Head);
        var other = new History(Signer).Add("b").Head;

        Assert.False(view.TryAdvance(other, [], [], out _, out var error, out var fault));
        Assert.Equal(LogViewError.Fault, error);
        Assert.Equal(new LogFault.SplitView(view.Head, other), fault);
    }

    [Fact]
    public void A_fork_whose_own_valid_proof_shows_another_past_is_a_fault()
    {
        var view = new LogView(new History(Signer).Add("a", "b", "c").Head);
        var fork = new History(Signer).Add("a", "b", "X").Add("d", "e");

        Assert.False(view.TryAdvance(fork.Head, fork.LogProof(3), fork.MapHeadProof(2), out _, out var error, out var fault));
        Assert.Equal(LogViewError.Fault, error);
        var rewritten = Assert.IsType<LogFault.RewrittenPast>(fault);
        Assert.False(rewritten.IsMapHeadLog);
    }

    [Fact]
    public void No_other_size_that_a_head_names_hides_a_rewritten_past()
    {
        var view = new LogView(new History(Signer).Add("a").Add("b").Add("c").Head);
        var fork = new History(Signer).Add("a", "b", "X").Add("d", "e"); // fewer heads than the view has seen

        Assert.False(view.TryAdvance(fork.Head, fork.LogProof(3), [], out _, out var error, out var fault));
        Assert.Equal(LogViewError.Fault, error);
        Assert.True(fault!.IsShown);
    }

    [Fact]
    public void A_rewritten_map_head_log_is_a_fault()
    {
        var view = new LogView(new History(Signer).Add("a").Add("b").Head); // heads at sizes 0, 1, 2
        var fork = new History(Signer).Add("a", "b").Add("c").Add("d");     // the same log; heads at sizes 0, 2, 3, 4

        Assert.False(view.TryAdvance(fork.Head, fork.LogProof(2), fork.MapHeadProof(3), out _, out var error, out var fault));
        Assert.Equal(LogViewError.Fault, error);
        Assert.True(Assert.IsType<LogFault.RewrittenPast>(fault).IsMapHeadLog);
    }

    [Fact]
    public void An_invalid_proof_is_not_used_and_is_no_fault_since_it_may_be_the_networks_doing()
    {
        var log = new History(Signer).Add("a", "b", "c");
        var view = new LogView(log.Head);
        log.Add("d", "e");
        var tampered = log.LogProof(3);
        tampered[1] = default;

        Assert.False(view.TryAdvance(log.Head, tampered, log.MapHeadProof(2), out _, out var error, out var fault));
        Assert.Equal((LogViewError.Consistency, null), (error, fault));
        Assert.False(view.TryAdvance(log.Head, [], log.MapHeadProof(2), out _, out error, out fault));
        Assert.Equal((LogViewError.Consistency, null), (error, fault));
        Assert.False(view.TryAdvance(log.Head, log.LogProof(3), [default], out _, out error, out fault));
        Assert.Equal((LogViewError.MapHeadConsistency, null), (error, fault));
    }

    [Fact]
    public void A_log_that_grows_without_its_map_head_log_is_not_followed()
    {
        var log = new History(Signer).Add("a");
        var view = new LogView(log.Head);
        log.Add("b");
        var stuck = Signer.Sign(
            log.Head.Content with { MapHeadSize = view.Head.Content.MapHeadSize, MapHeadRoot = view.Head.Content.MapHeadRoot });

        Assert.False(view.TryAdvance(stuck, log.LogProof(1), [], out _, out var error, out _));
        Assert.Equal(LogViewError.MapHeadSize, error);
    }

    private static bool Advance(LogView view, History log, VerifiedTreeHead head,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out LogView? next, out LogViewError error, out LogFault? fault) =>
        view.TryAdvance(head, log.LogProof(view.Head.Content.TreeSize), log.MapHeadProof(view.Head.Content.MapHeadSize), out next,
            out error, out fault);

    /// <summary>A log in memory, by the definitions alone.</summary>
    private sealed class History
    {
        private readonly LogSigner _signer;
        private readonly List<Digest> _leaves = [], _mapHeads = [];
        private readonly List<(Digest, Digest)> _map = [];

        public History(LogSigner signer)
        {
            _signer = signer;
            Head = Sign();
        }

        public VerifiedTreeHead Head { get; private set; }

        public History Add(params string[] keys)
        {
            foreach (var key in keys.Select(System.Text.Encoding.ASCII.GetBytes))
            {
                var entry = new MapEntry(Digest.Of(key), _leaves.Count);
                _leaves.Add(MerkleHash.LogLeaf(key, entry.ValueDigest));
                _map.Add((Digest.Of(key), Digest.Of(entry.ToBytes())));
            }

            Head = Sign();
            return this;
        }

        public Digest[] LogProof(long older) => [.. SlowReference.Proof((int)older, _leaves.ToArray())];

        public Digest[] MapHeadProof(long older) => [.. SlowReference.Proof((int)older, _mapHeads.ToArray())];

        private VerifiedTreeHead Sign()
        {
            var mapRoot = SlowReference.MapRoot(_map);
            _mapHeads.Add(MerkleHash.MapHeadLeaf(mapRoot));
            return _signer.Sign(new TreeHead(SlowReference.LogRoot(_leaves.ToArray()), _leaves.Count, mapRoot,
                SlowReference.LogRoot(_mapHeads.ToArray()), _mapHeads.Count));
        }
    }
}
