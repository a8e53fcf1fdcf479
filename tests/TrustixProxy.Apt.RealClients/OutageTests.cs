namespace TrustixProxy.Apt.RealClients;

/// <summary>D3: a rebuilder that is down, and the line of sources that leads past the gate.</summary>
[Collection(AptLabCollection.Name)]
public sealed class OutageTests(AptLab lab)
{
    [AptFact]
    public async Task While_a_rebuilder_is_down_apt_is_told_to_come_again_and_gets_the_package_when_it_is_back()
    {
        await using var gate = await lab.StartGateAsync();
        var client = await lab.StartClientAsync(gate);
        await lab.Bob.KillAsync();
        AptResult down;
        try
        {
            down = await client.InstallAsync("hello");
        }
        finally
        {
            await lab.Bob.StartAsync();
        }

        Assert.False(down.IsGood);
        Assert.Contains("503  ", down.Text, StringComparison.Ordinal);
        Assert.False(client.Has(AptLab.Hello));

        var back = await client.InstallAsync("hello");
        Assert.True(back.IsGood, back.Text);
        Assert.True(client.Has(AptLab.Hello));
    }

    [AptFact]
    public async Task What_was_decided_is_served_while_every_rebuilder_and_the_archive_are_down()
    {
        await using var archive = await Archive.StartAsync(lab.Folder);
        await using var gate = await Gate.StartAsync(lab.Directory, archive.Url, lab.Both);
        var first = await lab.StartClientAsync(gate);
        Assert.True((await first.InstallAsync("hello")).IsGood);
        var second = await lab.StartClientAsync(gate);
        await archive.StopAsync();
        await lab.Bob.KillAsync();
        try
        {
            var installed = await second.InstallAsync("hello");

            Assert.True(installed.IsGood, installed.Text);
        }
        finally
        {
            await lab.Bob.StartAsync();
        }
    }

    [AptFact]
    public async Task A_second_line_of_sources_leads_past_the_gate_and_doctor_names_it()
    {
        await using var gate = await lab.StartGateAsync();
        var client = await AptClient.MakeAsync(lab.Directory, AptFolder.AtHand!, lab.Folder, gate.Archive, lab.Archive.Url.ToString());
        Assert.True((await client.UpdateAsync()).IsGood);

        var past = await client.InstallAsync("sl");
        var doctor = await Daemon.RunAsync(["apt", "doctor", "--config", gate.Configuration, "--root", client.Root]);

        Assert.True(past.IsGood, past.Text); // apt goes on to the other source: the gate must be the only one
        Assert.NotEqual(0, doctor.Code);
        Assert.Contains(lab.Archive.Url.ToString(), $"{doctor}", StringComparison.Ordinal);
    }
}
