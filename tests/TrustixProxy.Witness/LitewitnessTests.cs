using System.Net;
using System.Text;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Witness;

/// <summary>W1, W3: three litewitnesses cosign our log, two of which are enough.</summary>
public sealed class LitewitnessTests
{
    [ProgramFact("litewitness", "witnessctl", "torchwood")]
    public async Task Torchwood_accepts_both_checkpoints_with_two_cosignatures_and_refuses_them_with_one()
    {
        await using var lab = await WitnessLab.StartAsync();
        foreach (var (start, end) in new[] { (0, 1), (1, 300), (300, 700) })
        {
            var keys = Enumerable.Range(start, end - start).Select(i => Encoding.ASCII.GetBytes($"{i}"));
            await lab.Node.SubmitAsync([.. keys.Select(key => (key, key))]);
            await lab.VisibleAsync((ulong)end);
            foreach (var tree in WitnessLab.Trees)
            {
                var note = await WitnessLab.CheckpointAsync(lab.Node, tree);
                Assert.True(note.Signatures.Length >= 3, $"{note}");
                var (log, first, second) = (note.Signatures[0], note.Signatures[1], note.Signatures[2]);

                Assert.Equal("OK", await lab.VerifyAsync(tree, note));
                Assert.Equal("OK", await lab.VerifyAsync(tree, SignedNote.Of(note.Text, log, first, second)));
                Assert.StartsWith("NO: ", await lab.VerifyAsync(tree, SignedNote.Of(note.Text, log, first)), StringComparison.Ordinal);
                Assert.StartsWith("NO: ", await lab.VerifyAsync(tree, SignedNote.Of(note.Text, log, second)), StringComparison.Ordinal);
            }
        }
    }

    [ProgramFact("litewitness", "witnessctl")]
    public async Task A_log_grows_without_one_witness_and_stands_still_without_two_until_one_is_back()
    {
        var (first, unasked, second, third) = (Output("first"), Output("unasked"), Output("second"), Output("third"));
        await using var lab = await WitnessLab.StartAsync();
        await using var proxy = await lab.ProxyAsync(lab.Node);
        await PublishAsync(lab.Node, proxy, first, unasked);
        await ServedAsync(proxy, first);

        await lab.Witnesses[2].KillAsync();
        await PublishAsync(lab.Node, proxy, second);
        await ServedAsync(proxy, second);

        await lab.Witnesses[1].KillAsync();
        await PublishAsync(lab.Node, proxy, third);
        await WitnessLab.SaysAsync(lab.Node, "its newest head lacks its quorum of witnesses: w2: ");
        Assert.Equal(3ul, (await lab.Node.HeadAsync()).TreeSize);
        Assert.StartsWith($"{WitnessLab.Origin}\n3\n", (await WitnessLab.CheckpointAsync(lab.Node, "")).Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(third.Path)).Status);
        await proxy.NarInfoAsync(unasked);

        await lab.Witnesses[1].StartAsync();
        await lab.VisibleAsync(4);
        await ServedAsync(proxy, third);
    }

    [ProgramFact("litewitness", "witnessctl", "torchwood")]
    public async Task Of_a_state_directory_and_its_copy_one_is_witnessed_and_the_other_does_not_vote()
    {
        var (ours, theirs) = (Output("ours"), Output("theirs"));
        using var folder = new TestFolder();
        await using var lab = await WitnessLab.StartAsync();
        await lab.Node.SubmitAsync(("seen"u8.ToArray(), "seen"u8.ToArray()));
        await lab.VisibleAsync(1);
        await lab.Node.StopAsync();
        foreach (var file in Directory.GetFiles(lab.Node.StateDirectory, "test.sqlite*"))
        {
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        }

        // The copy has a larger head before any witness can see one.
        foreach (var witness in lab.Witnesses)
        {
            await witness.KillAsync();
        }

        await using var copy = lab.NodeOf(folder.Path, isWithheld: false);
        await copy.StartAsync();
        await copy.SubmitAsync((theirs.Statement.Key, theirs.Statement.Value));
        await copy.StopAsync();
        foreach (var witness in lab.Witnesses)
        {
            await witness.StartAsync();
        }

        await lab.Node.StartAsync();
        await using var proxy = await lab.ProxyAsync(lab.Node);
        await PublishAsync(lab.Node, proxy, ours);
        await lab.VisibleAsync(2);
        await copy.StartAsync();
        await using var deceived = await lab.ProxyAsync(copy);
        deceived.Publish(theirs);
        await WitnessLab.SaysAsync(copy, "another tree"); // what HTTP 422 means

        await ServedAsync(proxy, ours);
        Assert.Contains("alice=unwitnessed", (await deceived.AskAsync(theirs.Path)).Text, StringComparison.Ordinal);
        foreach (var tree in WitnessLab.Trees)
        {
            Assert.Equal("OK", await lab.VerifyAsync(tree, await WitnessLab.CheckpointAsync(lab.Node, tree)));
            Assert.StartsWith("NO: ", await lab.VerifyAsync(tree, await WitnessLab.CheckpointAsync(copy, tree)), StringComparison.Ordinal);
        }

        // A proxy that is shown both heads needs no witness to see the fork.
        await using var informed = await lab.ProxyAsync(lab.Node, deceived.OperationsUrl);
        informed.Publish(TestOutput.Make("unheard-1"));
        await Eventually.UntilAsync(() => informed.Lines.Any(line => line.Contains("Log alice is frozen: ", StringComparison.Ordinal)));
    }

    private static TestOutput Output(string name) => TestOutput.Make($"{name}-1.0");

    /// <summary>Has the log and the proxy's upstream publish outputs.</summary>
    private static Task PublishAsync(TestLogNode node, TestProxy proxy, params TestOutput[] outputs)
    {
        outputs.ToList().ForEach(output => proxy.Publish(output));
        return node.SubmitAsync([.. outputs.Select(output => (output.Statement.Key, output.Statement.Value))]);
    }

    /// <summary>Waits until a proxy serves an output.</summary>
    private static async Task ServedAsync(TestProxy proxy, TestOutput output)
    {
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Status is HttpStatusCode.OK);
        await proxy.NarInfoAsync(output);
    }
}
