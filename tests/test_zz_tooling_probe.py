import os
os.environ.update(RAY_USAGE_STATS_ENABLED="0",MLFLOW_DISABLE_TELEMETRY="true")
def test_ray(tmp_path):
    import ray
    ray.init(num_cpus=2, include_dashboard=False)
    @ray.remote
    class A:
        def f(self): return 3
    a=A.remote(); assert ray.get(a.f.remote())==3
    ray.kill(a)
def test_train(tmp_path):
    from ray.train.torch import TorchTrainer
    from ray.train import ScalingConfig, RunConfig
    def loop(c):
        import ray.train, torch; ray.train.report({"a":1})
    r=TorchTrainer(loop, train_loop_config={}, scaling_config=ScalingConfig(num_workers=1), run_config=RunConfig(storage_path=str(tmp_path))).fit()
    assert r
    import ray; ray.shutdown()
def test_mlflow(tmp_path):
    import mlflow
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/m.db")
    c=mlflow.MlflowClient(); e=c.create_experiment("x", artifact_location=str(tmp_path)); r=c.create_run(e); c.log_metric(r.info.run_id,"a",1.0)
def test_monai():
    import torch
    from monai.networks.nets import LocalNet
    from monai.transforms import Compose, LoadImaged, RandAffined, Resized, RandGaussianNoised, RandGaussianSmoothd, ScaleIntensityRanged
    from monai.losses import GlobalMutualInformationLoss, BendingEnergyLoss, DiceLoss, LocalNormalizedCrossCorrelationLoss
    n=LocalNet(spatial_dims=3,in_channels=2,out_channels=3,num_channel_initial=4,extract_levels=[0,1,2],out_activation=None,out_kernel_initializer="zeros",mode="trilinear")
    y=n(torch.rand(1,2,16,16,16)); y.sum().backward()
    GlobalMutualInformationLoss()(torch.rand(1,1,8,8,8),torch.rand(1,1,8,8,8)); BendingEnergyLoss()(torch.rand(1,3,8,8,8))
    opt=torch.optim.Adam(n.parameters()); s=torch.optim.lr_scheduler.ReduceLROnPlateau(opt); opt.step(); s.step(1.0)
    with torch.autocast("cpu"): n(torch.rand(1,2,16,16,16))
    d=Compose([Resized(["a"],(8,8,8)),RandAffined(["a"],prob=1,rotate_range=(.1,.1,.1)),RandGaussianNoised(["a"],prob=1),RandGaussianSmoothd(["a"],prob=1)])({"a":torch.rand(1,16,16,16)})
def test_sitk(tmp_path):
    import SimpleITK as sitk, nibabel, numpy as np
    sitk.GetImageFromArray(np.zeros((3,3,3)))
    nibabel.Nifti1Image(np.zeros((3,3,3),np.float32),np.eye(4)).to_filename(tmp_path/"a.nii.gz"); nibabel.load(tmp_path/"a.nii.gz").get_fdata()
def test_mpl(tmp_path):
    import matplotlib; matplotlib.use("Agg")
    import matplotlib.pyplot as plt; f=plt.figure(); f.savefig(tmp_path/"a.png"); plt.close(f)
def test_typer():
    import typer; from typer.testing import CliRunner
    app=typer.Typer()
    @app.command()
    def a(x: str = "1"): print(x)
    CliRunner().invoke(app,[])
