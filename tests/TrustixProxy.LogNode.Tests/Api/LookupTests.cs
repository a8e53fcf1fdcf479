using System.Text;
using Google.Protobuf;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Tests.Api;

/// <summary>The one call gives what the separate calls give, to the byte, and proves as much.</summary>
public sealed class LookupTests
{
    private const string Lookup = "/trustix_proxy.v1.LookupAPI/Lookup", Conflicts = "/trustix_proxy.v1.LookupAPI/GetConflicts";

    [Fact]
    public async Task Everything_in_the_answer_is_what_the_separate_calls_give()
    {
        await using var node = await RecordedLog.FullAsync();
        var output = TestOutput.Make();
        await node.SubmitAsync((output.Statement.Key, output.Statement.Value));
        var request = new LookupRequest
        {
            LogID = node.LogId,
            TreeSize = 7,
            MHTreeSize = 3,
            PathDigests = { output.Path.Digest.ToString() },
            Keys = { ByteString.CopyFrom(RecordedLog.Entries[5].Key), ByteString.CopyFromUtf8("absent") }
        };

        var answer = await node.CallAsync(Lookup, request, LookupResponse.Parser);

        var head = await node.HeadAsync();
        Assert.Equal(head, answer.Head);
        Assert.Equal((await node.CallAsync("LogAPI/GetLogConsistencyProof", new GetLogConsistencyProofRequest
        {
            LogID = node.LogId,
            FirstSize = 7,
            SecondSize = head.TreeSize
        }, ProofResponse.Parser)).Proof, answer.ConsistencyProof);
        Assert.Equal((await node.CallAsync("LogAPI/GetMHLogConsistencyProof", new GetLogConsistencyProofRequest
        {
            LogID = node.LogId,
            FirstSize = 3,
            SecondSize = head.MHTreeSize
        }, ProofResponse.Parser)).Proof, answer.MHConsistencyProof);
        Assert.Equal((await node.CallAsync("LogAPI/GetMHLogAuditProof", new GetLogAuditProofRequest
        {
            LogID = node.LogId,
            Index = head.MHTreeSize - 1,
            TreeSize = head.MHTreeSize
        }, ProofResponse.Parser)).Proof, answer.MapHeadInclusionProof);
        Assert.NotEmpty(answer.MapHeadInclusionProof);
        Assert.Equal(3, answer.Items.Count);
        foreach (var (key, index, value) in new[] { (output.Statement.Key, 50, output.Statement.Value),
            (RecordedLog.Entries[5].Key, 5, RecordedLog.Entries[5].Value), (Encoding.UTF8.GetBytes("absent"), -1, null) })
        {
            var entry = answer.Items.SelectMany(item => item.Entries).Single(entry => entry.Key.Span.SequenceEqual(key));
            Assert.Equal(await node.CallAsync("LogAPI/GetMapValue", new GetMapValueRequest
            {
                LogID = node.LogId,
                Key = entry.Key,
                MapRoot = head.MapRoot
            }, MapValueResponse.Parser), entry.Map);
            Assert.Equal(index >= 0, entry.HasValue);
            if (value is not null)
            {
                Assert.Equal((await node.CallAsync("LogAPI/GetLogAuditProof", new GetLogAuditProofRequest
                {
                    LogID = node.LogId,
                    Index = (ulong)index,
                    TreeSize = head.TreeSize
                }, ProofResponse.Parser)).Proof, entry.InclusionProof);
                Assert.Equal(value, entry.Value.ToByteArray());
            }
        }
    }

    [Fact]
    public async Task The_map_root_is_proven_once_for_each_head()
    {
        await using var node = await RecordedLog.FullAsync();
        var head = await node.HeadAsync();
        var known = new LookupRequest { LogID = node.LogId, TreeSize = head.TreeSize, MHTreeSize = head.MHTreeSize };

        Assert.Empty((await node.CallAsync(Lookup, known, LookupResponse.Parser)).MapHeadInclusionProof);
        known.MHTreeSize--;
        Assert.NotEmpty((await node.CallAsync(Lookup, known, LookupResponse.Parser)).MapHeadInclusionProof);
    }

    [Fact]
    public async Task The_checkpoints_of_a_log_with_an_origin_come_when_the_head_moved()
    {
        await using var node = await RecordedLog.FullAsync();
        await node.StopAsync();
        node.Change = options => options with { Logs = [options.Logs[0] with { Origin = "log.example/nix" }] };
        await node.StartAsync();
        var head = await node.HeadAsync();
        var known = new LookupRequest { LogID = node.LogId, TreeSize = head.TreeSize, MHTreeSize = head.MHTreeSize };

        var same = await node.CallAsync(Lookup, known, LookupResponse.Parser);
        known.MHTreeSize--;
        var moved = await node.CallAsync(Lookup, known, LookupResponse.Parser);

        Assert.True(same.Checkpoint.IsEmpty && same.MapHeadCheckpoint.IsEmpty);
        Check(moved.Checkpoint, "log.example/nix", head.TreeSize, head.LogRoot);
        Check(moved.MapHeadCheckpoint, "log.example/nix/mapheads", head.MHTreeSize, head.MHRoot);

        void Check(ByteString text, string origin, ulong size, ByteString root)
        {
            Assert.True(SignedNote.TryParse(text.Span, out var note, out _));
            Assert.Equal(SignatureCheck.Valid, note.Check(VerifierKey.OfLog(origin, node.Signer.Key)));
            Assert.Equal(new Checkpoint(origin, (long)size, new Digest(root.Span)).ToString(), note.Text);
        }
    }

    [Fact]
    public async Task A_log_without_an_origin_sends_no_checkpoint()
    {
        await using var node = await RecordedLog.FullAsync();

        var answer = await node.CallAsync(Lookup, new LookupRequest { LogID = node.LogId }, LookupResponse.Parser);

        Assert.True(answer.Checkpoint.IsEmpty && answer.MapHeadCheckpoint.IsEmpty);
    }

    [Fact]
    public async Task Every_key_with_a_digest_is_found_and_an_unknown_digest_has_none()
    {
        await using var node = await new TestLogNode().StartAsync();
        var path = TestOutput.PathOf("hello-1.0");
        var names = new[] { "hello-1.0", "hello-2.0", "other" };
        await node.SubmitAsync(
            [.. names.Select(name => (Encoding.ASCII.GetBytes($"/nix/store/{path.Digest}-{name}"), Encoding.ASCII.GetBytes(name)))]);

        var answer = await node.CallAsync(Lookup, new LookupRequest
        {
            LogID = node.LogId,
            PathDigests = { path.Digest.ToString(), TestOutput.PathOf("unknown-1.0").Digest.ToString() }
        }, LookupResponse.Parser);

        Assert.Equal(names, answer.Items[0].Entries.Select(entry => entry.Value.ToStringUtf8()));
        Assert.Empty(answer.Items[1].Entries);
    }

    [Fact]
    public async Task A_proof_of_the_answer_verifies_at_its_head()
    {
        await using var node = await RecordedLog.FullAsync();
        var (key, value) = RecordedLog.Entries[17];

        var answer = await node.CallAsync(Lookup, new LookupRequest
        {
            LogID = node.LogId,
            Keys = { ByteString.CopyFrom(key), ByteString.CopyFromUtf8("absent") }
        }, LookupResponse.Parser);

        Assert.True(SignedTreeHead.TryRead(answer.Head, out var signed, out _));
        Assert.True(node.Signer.Key.TryVerify(signed, out var head, out _));
        var (present, absent) = (answer.Items[0].Entries[0], answer.Items[1].Entries[0]);
        Assert.True(MapProof.TryRead(present.Map.Proof, out var proof, out _));
        Assert.True(proof.TryVerify(head, key, present.Map.Value.Span, out var proven, out _));
        Assert.True(proven.IsValue(value));
        Assert.True(MapProof.TryRead(absent.Map.Proof, out var none, out _));
        Assert.True(none.TryVerify(head, "absent"u8, [], out var nothing, out _));
        Assert.Null(nothing.Entry);
        Assert.True(InclusionProof.TryVerify(17, 50, MerkleHash.LogLeaf(key, Digest.Of(value)),
            [.. present.InclusionProof.Select(node => new Digest(node.Span))], head.Content.LogRoot, out _));
    }

    [Fact]
    public async Task What_cannot_be_answered_is_refused_by_name()
    {
        await using var node = await RecordedLog.FullAsync();
        async Task Refused(LookupRequest request, string word) =>
            Assert.Contains(word, (await Assert.ThrowsAsync<HttpRequestException>(
            () => node.CallAsync(Lookup, request, LookupResponse.Parser))).Message, StringComparison.Ordinal);

        await Refused(new LookupRequest { LogID = "x" }, "not_found");
        await Refused(new LookupRequest { LogID = node.LogId, TreeSize = 51 }, "TreeSize is 51; the log has 50");
        await Refused(new LookupRequest { LogID = node.LogId, MHTreeSize = 99 }, "MHTreeSize is 99");
        await Refused(new LookupRequest { LogID = node.LogId, PathDigests = { "../etc" } }, "PathDigests has '../etc'");
        await Refused(
            new LookupRequest { LogID = node.LogId, Keys = { Enumerable.Repeat(ByteString.CopyFromUtf8("k"), 101) } }, "at most 100");
        await Refused(new LookupRequest { LogID = node.LogId, Keys = { ByteString.CopyFrom(new byte[5000]) } }, "4096");
    }

    [Fact]
    public async Task Values_that_would_make_the_answer_too_long_are_left_out()
    {
        await using var node = await new TestLogNode().StartAsync();
        for (byte i = 0; i < 6; i++)
        {
            await node.SubmitAsync(([i], [.. Enumerable.Repeat(i, 1 << 20)]));
        }

        var answer = await node.CallAsync(Lookup, new LookupRequest
        {
            LogID = node.LogId,
            Keys = { Enumerable.Range(0, 6).Select(i => ByteString.CopyFrom((byte)i)) }
        }, LookupResponse.Parser);

        Assert.Equal([true, true, true, true, false, false], answer.Items.Select(item => item.Entries[0].HasValue));
    }

    [Fact]
    public async Task A_second_value_is_kept_as_a_signed_conflict_once_and_the_first_stays()
    {
        await using var node = await new TestLogNode().StartAsync();
        var (key, first, second) = ("key"u8.ToArray(), "first"u8.ToArray(), "second"u8.ToArray());
        await node.SubmitAsync((key, first));
        var head = await node.HeadAsync();
        await node.SubmitAsync((key, second), (key, second), (key, first));
        await node.SubmitAsync((key, second), (key, "third"u8.ToArray()));

        Assert.Equal(head, await node.HeadAsync());
        var answer = await node.CallAsync(Conflicts, new GetConflictsRequest { LogID = node.LogId }, GetConflictsResponse.Parser);
        Assert.Equal(2UL, answer.Size);
        Assert.Equal(["second", "third"], answer.Conflicts.Select(conflict => conflict.OtherValue.ToStringUtf8()));
        Assert.All(answer.Conflicts, conflict => Assert.True(IsSigned(node, conflict)));
        answer.Conflicts[0].SeenAt++;
        Assert.False(IsSigned(node, answer.Conflicts[0]));
        Assert.Single((await node.CallAsync(
            Conflicts, new GetConflictsRequest { LogID = node.LogId, Start = 1 }, GetConflictsResponse.Parser)).Conflicts);
        Assert.Equal("first"u8.ToArray(), (await node.CallAsync(Lookup, new LookupRequest
        {
            LogID = node.LogId,
            Keys = { ByteString.CopyFrom(key) }
        }, LookupResponse.Parser)).Items[0].Entries[0].Value.ToByteArray());
    }

    private static bool IsSigned(TestLogNode node, Conflict conflict) => node.Signer.Key.Verify(
        new ConflictRecord(conflict.Key.ToByteArray(), (long)conflict.Index, new Digest(conflict.ValueDigest.Span),
            Digest.Of(conflict.OtherValue.Span), (long)conflict.SeenAt), conflict.Signature.Span);
}
